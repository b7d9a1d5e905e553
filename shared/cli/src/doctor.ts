import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, statfs } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { readCompose, servicesHere } from '@workshop/backends/compose-file';
import { whyNoEngine } from '@workshop/backends/lane';
import { root, steps } from '@workshop/lessons/steps';
import { execa } from 'execa';
import si from 'systeminformation';
import { imagesOfAll, missing } from './images.ts';

const TIMEOUT_MS = 4_500;
const GB = 1e9;
/** Room for the images of all steps, and for what the backends write. */
const DISK_NEEDED = 4 * GB;
const PORTS = [3000, 4318, 8000, 8001, 8080, 8081, 9090, 9428, 13133, 16686];
const MARKS = { ok: ['green', 'ok  '], warn: ['yellow', 'warn'], fail: ['red', 'FAIL'] } as const;

/** `fail`: the workshop cannot start. `warn`: a part of it cannot. */
type Finding = { state: keyof typeof MARKS; found: string; remedy?: string };
type Check = () => Promise<Finding>;

/** By system: WSL is a Linux whose Docker and firewall are those of Windows. */
const system = /microsoft/i.test(release()) ? 'wsl' : process.platform;

const START_DOCKER: Record<string, string> = {
  linux: 'sudo systemctl start docker',
  wsl: 'start Docker Desktop on Windows; there, Settings > Resources > WSL integration must name this distribution',
};
const OPEN_FIREWALL: Record<string, string> = {
  linux: 'let containers reach this machine: sudo ufw allow in on docker0, or the same for your firewall',
  wsl: 'allow Docker Desktop and Node in the firewall of Windows',
  win32: 'allow Docker Desktop and Node in the firewall of Windows',
  darwin: 'System Settings > Network > Firewall: allow incoming connections for node',
};

const checks: Record<string, Check> = {
  Node: checkNode,
  npm: checkNpm,
  Docker: checkDocker,
  Images: checkImages,
  Memory: checkMemory,
  Firewall: checkFirewall,
  Ports: checkPorts,
  Disk: checkDisk,
  Proxy: checkProxy,
};

/** Checks, all at once and in 5 s at most, whether the workshop can run here. Returns whether a class can start. */
export async function doctor(json: boolean): Promise<boolean> {
  const findings = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, ...(await within(check)) })),
  );
  if (json) console.log(JSON.stringify(findings, null, 2));
  else for (const finding of findings) print(finding);
  return findings.every(({ state }) => state !== 'fail');
}

function print({ name, state, found, remedy }: Finding & { name: string }): void {
  const [colour, mark] = MARKS[state];
  console.log(`${styleText(colour, mark)}  ${name.padEnd(9)} ${found}`);
  if (remedy) console.log(`${' '.repeat(16)}To do: ${remedy}`);
}

async function within(check: Check): Promise<Finding> {
  const late = new Promise<Finding>((resolve) => {
    setTimeout(() => resolve({ state: 'warn', found: `no answer within ${TIMEOUT_MS / 1000} s` }), TIMEOUT_MS).unref();
  });
  const failed = (error: Error): Finding => ({ state: 'warn', found: `could not be checked: ${error.message}` });
  return Promise.race([check().catch(failed), late]);
}

async function checkNode(): Promise<Finding> {
  // An older one has been told so, and has not come this far.
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return { state: 'ok', found: `${process.version}, needed is ${engines.node}` };
}

async function checkNpm(): Promise<Finding> {
  const { stdout, exitCode } = await execa({ reject: false, timeout: TIMEOUT_MS })`npm --version`;
  if (exitCode === 0) return { state: 'ok', found: stdout };
  return {
    state: 'fail',
    found: 'npm does not run',
    remedy: 'install Node 24 from https://nodejs.org: npm comes with it',
  };
}

async function checkDocker(): Promise<Finding> {
  const reason = await whyNoEngine();
  if (!reason) return { state: 'ok', found: (await docker('version', '--format', 'Engine {{.Server.Version}}')) ?? '' };
  // Without Docker there is the local lane, unless somebody insists.
  const state = process.env.BACKENDS === 'containers' ? 'fail' : 'warn';
  const remedy = `${START_DOCKER[system] ?? 'start Docker Desktop'}; without Docker you get the local lane, which has no alerts and no Grafana`;
  return { state, found: reason, remedy };
}

async function checkImages(): Promise<Finding> {
  const images = await imagesOfAll();
  if ((await docker('version')) === undefined) return notWithoutDocker;
  const notHere = await missing(images);
  if (notHere.length === 0) return { state: 'ok', found: `all ${images.length} are here` };
  return { state: 'warn', found: `not here: ${notHere.join(', ')}`, remedy: 'npx workshop pull' };
}

async function checkMemory(): Promise<Finding> {
  const text = await docker('info', '--format', '{{.MemTotal}}');
  if (text === undefined) return notWithoutDocker;
  const last = await readCompose(String(steps.at(-1)?.dir));
  const limits = servicesHere(last).map((name) => Number.parseInt(last.services[name]?.mem_limit ?? '0', 10));
  const needed = limits.reduce((sum, megabytes) => sum + megabytes, 0) * 1024 * 1024;
  const found = `${gigabytes(Number(text))} for Docker; step 05 may take ${gigabytes(needed)}`;
  if (Number(text) >= needed) return { state: 'ok', found };
  const remedy =
    system === 'linux' ? 'close other programs before step 05' : 'Docker Desktop > Settings > Resources > Memory';
  return { state: 'warn', found, remedy };
}

/** Prometheus, in its container, must reach the app, on this machine. */
async function checkFirewall(): Promise<Finding> {
  const image = (await imagesOfAll()).find((name) => name.startsWith('prom/prometheus'));
  if (!image || (await docker('image', 'inspect', image)) === undefined) {
    return { state: 'ok', found: 'not checked: it needs the image of Prometheus' };
  }
  const server = createServer((_request, response) => response.end('ok')).listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const name = `workshop-doctor-${process.pid}`;
  const url = `http://host.docker.internal:${port}`;
  const host = ['--add-host', 'host.docker.internal:host-gateway'];
  const promtool = ['--entrypoint', '/bin/promtool', image, 'check', 'healthy', `--url=${url}`];
  const reached = await docker('run', '--rm', '--name', name, ...host, ...promtool);
  server.close();
  if (reached !== undefined) return { state: 'ok', found: 'containers reach this machine' };
  // It may still be trying.
  spawn('docker', ['rm', '--force', name], { detached: true, stdio: 'ignore' }).unref();
  return {
    state: 'warn',
    found: 'a container does not reach this machine: Prometheus will see no metrics in steps 03 and 04',
    remedy: OPEN_FIREWALL[system] ?? OPEN_FIREWALL.linux ?? '',
  };
}

async function checkPorts(): Promise<Finding> {
  const listening = (await si.networkConnections()).filter(({ state }) => state === 'LISTEN');
  const taken = PORTS.flatMap((port) => {
    const holder = listening.find(({ localPort }) => Number(localPort) === port);
    return holder ? [`${port} (${holder.process || 'a program that you may not see'})`] : [];
  });
  if (taken.length === 0) return { state: 'ok', found: `free: ${PORTS.join(', ')}` };
  const remedy =
    'is it not the workshop itself (npx workshop shows what runs)? Then end these programs, or see the README of the step';
  return { state: 'warn', found: `taken: ${taken.join(', ')}`, remedy };
}

async function checkDisk(): Promise<Finding> {
  const { bavail, bsize } = await statfs(root);
  const free = bavail * bsize;
  const found = `${gigabytes(free)} free; ${gigabytes(DISK_NEEDED)} should be`;
  return free >= DISK_NEEDED ? { state: 'ok', found } : { state: 'warn', found, remedy: 'make room on this disk' };
}

async function checkProxy(): Promise<Finding> {
  const { env } = process;
  const proxy = env.HTTPS_PROXY || env.https_proxy || env.HTTP_PROXY || env.http_proxy;
  if (!proxy) return { state: 'ok', found: 'none' };
  const excepted = (env.NO_PROXY || env.no_proxy || '').split(',').map((host) => host.trim());
  const lacking = ['localhost', '127.0.0.1'].filter((host) => !excepted.includes(host) && !excepted.includes('*'));
  // A proxy's address can hold a password.
  if (lacking.length === 0) return { state: 'ok', found: 'set, and this machine is excepted in NO_PROXY' };
  return {
    state: 'warn',
    found: `set, and NO_PROXY lacks ${lacking.join(', ')}: requests within this machine would go to the proxy`,
    remedy: 'set NO_PROXY to localhost,127.0.0.1 (and what it holds already)',
  };
}

const notWithoutDocker: Finding = { state: 'ok', found: 'not checked: it needs Docker' };

/** What a docker command prints; undefined when it fails or does not answer in time. */
async function docker(...args: string[]): Promise<string | undefined> {
  const options = { reject: false, timeout: TIMEOUT_MS - 500, forceKillAfterDelay: 200 };
  const { exitCode, stdout } = await execa('docker', args, options);
  return exitCode === 0 ? String(stdout) : undefined;
}

function gigabytes(bytes: number): string {
  return `${(bytes / GB).toFixed(1)} GB`;
}

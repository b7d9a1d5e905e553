import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecaError, execa } from 'execa';
import { parse } from 'yaml';

const ENGINE_TIMEOUT_MS = 5_000;

export type Compose = { services: Record<string, { image: string; ports?: string[] }> };

/** Reads the step's compose.yaml. */
export async function readCompose(step: string): Promise<Compose> {
  return parse(await readFile(join(step, 'compose.yaml'), 'utf8'));
}

/** Says why these images cannot be run in containers here, in one line; undefined when they can. Pulls what is missing. */
export async function whyNoContainers(compose: Compose): Promise<string | undefined> {
  const engine = await docker(['version', '--format', '{{.Server.Version}}'], ENGINE_TIMEOUT_MS);
  if (engine === 'ENOENT') return 'Docker is not installed (https://docs.docker.com/get-started/get-docker)';
  if (engine === 'timeout')
    return `the Docker engine does not answer within ${ENGINE_TIMEOUT_MS / 1000} s: restart Docker`;
  if (engine) return `no Docker engine answers: start Docker. It says: ${engine}`;
  if (await docker(['compose', 'version']))
    return 'Docker Compose v2 is missing (https://docs.docker.com/compose/install)';
  await useContext();
  for (const { image } of Object.values(compose.services)) {
    if (!(await docker(['image', 'inspect', image]))) continue;
    console.log(`Pulling ${image} ...`);
    const failure = await docker(['pull', '--quiet', image]);
    if (failure) return `the image ${image} is not here and cannot be pulled: ${failure}`;
  }
  return undefined;
}

/** Runs the docker command; returns its last line of complaint, `ENOENT`, `timeout`, or undefined when all is well. */
async function docker(args: string[], timeout = 0): Promise<string | undefined> {
  try {
    await execa('docker', args, { timeout, forceKillAfterDelay: 500 });
    return undefined;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.timedOut) return 'timeout';
    return error.code === 'ENOENT' ? 'ENOENT' : String(error.stderr).trim().split('\n').at(-1);
  }
}

/** The docker command knows contexts (Colima, Rancher Desktop); testcontainers only DOCKER_HOST. */
async function useContext(): Promise<void> {
  if (process.env.DOCKER_HOST) return;
  const { stdout } = await execa('docker', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'], {
    reject: false,
  });
  if (stdout && stdout !== 'unix:///var/run/docker.sock') process.env.DOCKER_HOST = stdout;
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecaError, execa } from 'execa';
import { parse } from 'yaml';

const ENGINE_TIMEOUT_MS = 4_000;
const REGISTRY_TIMEOUT_MS = 5_000;

export type Compose = { services: Record<string, { image: string; ports?: string[] }> };

/** Reads the step's compose.yaml. Throws an Error that names the file and the line when it cannot. */
export async function readCompose(step: string): Promise<Compose> {
  const path = join(step, 'compose.yaml');
  try {
    const compose = parse(await readFile(path, 'utf8'));
    if (!compose?.services) throw new Error('it names no services.');
    return compose;
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message.trim() : error}`);
  }
}

/** A page for people: where its image cannot be had, the rest is started and tested without it. */
const OPTIONAL = 'grafana';

/**
 * Says why these images, Grafana's apart, cannot be run in containers here, in one line; undefined when they can.
 * Pulls what is missing.
 */
export async function whyNoContainers({ services }: Compose): Promise<string | undefined> {
  const engine = await docker(['version', '--format', '{{.Server.Version}}'], ENGINE_TIMEOUT_MS);
  if (engine === 'ENOENT') return 'Docker is not installed: https://docs.docker.com/get-started/get-docker';
  if (engine === 'timeout')
    return `the Docker engine does not answer within ${ENGINE_TIMEOUT_MS / 1000} s: restart Docker`;
  if (engine?.includes('permission denied'))
    return 'you may not use the Docker engine: add yourself to the group docker (sudo usermod -aG docker $USER) and log in again';
  if (engine) return `no Docker engine answers: start Docker. It says: ${engine}`;
  if (await docker(['compose', 'version'], ENGINE_TIMEOUT_MS))
    return 'Docker Compose v2 is missing: https://docs.docker.com/compose/install';
  await useContext();
  for (const [name, { image }] of Object.entries(services)) {
    const failure = name === OPTIONAL ? undefined : await whyNoImage(image);
    if (failure) return failure;
  }
  return undefined;
}

/** Says why a step's Grafana cannot be run here, where containers can; undefined when it can. Pulls it when missing. */
export async function whyNoGrafana({ services }: Compose): Promise<string | undefined> {
  const grafana = services[OPTIONAL];
  return grafana ? whyNoImage(grafana.image) : 'this step has none';
}

/** The services of a step that can be started here, where containers can: all, or all but Grafana. */
export async function servicesHere(compose: Compose): Promise<string[]> {
  const names = Object.keys(compose.services);
  return (await whyNoGrafana(compose)) ? names.filter((name) => name !== OPTIONAL) : names;
}

/** What could not be pulled, and why: it is not tried again. */
const refused = new Map<string, string>();

async function whyNoImage(image: string): Promise<string | undefined> {
  if (refused.has(image)) return refused.get(image);
  if (!(await docker(['image', 'inspect', image], ENGINE_TIMEOUT_MS))) return undefined;
  console.log(`Pulling ${image} ...`);
  const failure = await pull(image);
  if (!failure) return undefined;
  refused.set(image, `the image ${image} is not here and cannot be pulled: ${failure}`);
  return refused.get(image);
}

/** Runs the docker command; returns its first line of complaint, `ENOENT`, `timeout`, or undefined when all is well. */
async function docker(args: string[], timeout: number): Promise<string | undefined> {
  try {
    await execa('docker', args, { timeout, forceKillAfterDelay: 500 });
    return undefined;
  } catch (error) {
    return complaint(error);
  }
}

/** Pulls an image, however long it takes, unless the registry does not even begin. */
async function pull(image: string): Promise<string | undefined> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), REGISTRY_TIMEOUT_MS);
  const pulling = execa('docker', ['pull', image], { cancelSignal: silence.signal });
  // Its first line comes when the registry has answered.
  pulling.stdout.once('data', () => clearTimeout(timer));
  try {
    await pulling;
    return undefined;
  } catch (error) {
    if (silence.signal.aborted) return `its registry does not answer within ${REGISTRY_TIMEOUT_MS / 1000} s`;
    return complaint(error);
  } finally {
    clearTimeout(timer);
  }
}

function complaint(error: unknown): string {
  if (!(error instanceof ExecaError)) throw error;
  if (error.timedOut) return 'timeout';
  if (error.code === 'ENOENT') return 'ENOENT';
  const said = `${error.stderr}\n${error.stdout}`.split('\n').find((line) => line.trim());
  return said?.trim() ?? error.shortMessage;
}

/** The docker command knows contexts (Colima, Rancher Desktop); testcontainers only DOCKER_HOST. */
async function useContext(): Promise<void> {
  if (process.env.DOCKER_HOST) return;
  const { stdout } = await execa('docker', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'], {
    reject: false,
  });
  if (stdout && stdout !== 'unix:///var/run/docker.sock') process.env.DOCKER_HOST = stdout;
}

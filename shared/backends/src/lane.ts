import { ExecaError, execa } from 'execa';
import { type ComposeFile, isOptional, leftOut, readCompose, servicesHere } from './compose-file.ts';

const ENGINE_TIMEOUT_MS = 4_000;
const REGISTRY_TIMEOUT_MS = 60_000;
const REMIND_MS = 10_000;

export type Lane = { lane: 'containers' } | { lane: 'local'; reason: string };

/**
 * The lane that a step's backends take: what BACKENDS says, or else containers where all of its images can be had.
 * Throws an Error when BACKENDS=containers and they cannot, or when BACKENDS or WITHOUT is wrong.
 */
export async function chooseLane(step: string): Promise<Lane> {
  leftOut();
  const wanted = process.env.BACKENDS || undefined;
  if (wanted && wanted !== 'containers' && wanted !== 'local') {
    throw new Error(`BACKENDS is ${wanted}: it must be containers or local, or unset for what is possible here.`);
  }
  if (wanted === 'local') return { lane: 'local', reason: 'BACKENDS=local' };
  const reason = await whyNoContainers(await readCompose(step));
  if (reason && wanted) throw new Error(`BACKENDS=containers, but ${reason}.`);
  return reason ? { lane: 'local', reason } : { lane: 'containers' };
}

/** Says why a step's backends cannot be run in containers here, in one line; undefined when they can. Pulls what is missing. */
export async function whyNoContainers(compose: ComposeFile): Promise<string | undefined> {
  const noEngine = await whyNoEngine();
  if (noEngine) return noEngine;
  await useContext();
  for (const service of servicesHere(compose)) {
    const failure = await whyNoImage(String(compose.services[service]?.image));
    if (failure) return isOptional(service) ? `${failure} (WITHOUT=${service} does without it)` : failure;
  }
  return undefined;
}

/** Says why there is no Docker engine with Compose, and what to do, in one line; undefined when there is one. */
export async function whyNoEngine(): Promise<string | undefined> {
  const engine = await docker(['version', '--format', '{{.Server.Version}}'], ENGINE_TIMEOUT_MS);
  if (engine === 'ENOENT') return 'Docker is not installed: https://docs.docker.com/get-started/get-docker';
  if (engine === 'timeout')
    return `the Docker engine does not answer within ${ENGINE_TIMEOUT_MS / 1000} s: restart Docker`;
  if (engine?.includes('permission denied'))
    return 'you may not use the Docker engine: add yourself to the group docker (sudo usermod -aG docker $USER) and log in again';
  if (engine) return `no Docker engine answers: start Docker. It says: ${engine}`;
  if (await docker(['compose', 'version'], ENGINE_TIMEOUT_MS))
    return 'Docker Compose v2 is missing: https://docs.docker.com/compose/install';
  return undefined;
}

async function whyNoImage(image: string): Promise<string | undefined> {
  if (!(await docker(['image', 'inspect', image], ENGINE_TIMEOUT_MS))) return undefined;
  console.log(`Pulling ${image} ...`);
  const failure = await pull(image);
  return failure && `the image ${image} is not here and cannot be pulled: ${failure}`;
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

/** Pulls an image, however long it takes, unless the registry does not even begin. Returns why it could not. */
async function pull(image: string): Promise<string | undefined> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), REGISTRY_TIMEOUT_MS);
  const reminder = setInterval(
    () => console.log(`Still waiting for the registry of ${image} (BACKENDS=local goes without Docker) ...`),
    REMIND_MS,
  );
  const pulling = execa('docker', ['pull', image], { cancelSignal: silence.signal });
  // Its first line comes when the registry has answered.
  pulling.stdout.once('data', () => {
    clearTimeout(timer);
    clearInterval(reminder);
  });
  try {
    await pulling;
    return undefined;
  } catch (error) {
    if (silence.signal.aborted) return `its registry does not answer within ${REGISTRY_TIMEOUT_MS / 1000} s`;
    return complaint(error);
  } finally {
    clearTimeout(timer);
    clearInterval(reminder);
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

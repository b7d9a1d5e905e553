import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backends, startBackends } from '@workshop/backends/start';
import { STATE } from '@workshop/lessons/state';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** `problem`: why there are no backends; every test fails with it. */
    backends: Backends & { problem?: string };
  }
}

/** vitest's globalSetup of a step with backends: starts them once, in the lane at hand, and takes them down at the end. */
export default async function setup(project: TestProject) {
  try {
    const { backends, stop, reload } = await startBackends(project.config.root);
    project.provide('backends', backends);
    say(`Backends: ${describe(backends)}.`);
    const changed = changes(project.config.root);
    project.onTestsRerun(async () => {
      const services = changed();
      const problems = await Promise.allSettled(services.map(reload));
      const [failed] = problems.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      if (services.length > 0)
        project.provide('backends', { ...backends, ...(failed && { problem: failed.reason.message }) });
    });
    return async () => {
      await stop();
      // The reporter of an attendee's work says itself what was proved.
      if (existsSync(STATE)) return;
      console.log(`Backends: ${describe(backends)}. ${proof(backends, project)}`);
    };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    // Nothing is skipped: every test fails with the problem.
    project.provide('backends', { lane: 'containers', without: [], env: {}, problem });
    const [firstLine] = problem.split('\n');
    say(`Backends: none. ${firstLine}`);
    return () => say(`Backends: none. ${firstLine}`);
  }
}

/** Which file is which backend's configuration. */
const CONFIGURATIONS = { 'collector.yaml': 'collector', 'prometheus.yml': 'prometheus', 'alerts.yml': 'prometheus' };

/** Tells at each call which services' configuration has changed since the last one. */
function changes(step: string): () => string[] {
  const read = () =>
    Object.keys(CONFIGURATIONS).map((file) =>
      existsSync(join(step, file)) ? readFileSync(join(step, file), 'utf8') : '',
    );
  let last = read();
  return () => {
    const now = read();
    const services = Object.values(CONFIGURATIONS).filter((_service, i) => now[i] !== last[i]);
    last = now;
    return [...new Set(services)];
  };
}

/** Says it beside the results. */
function say(line: string): void {
  if (process.env.WORKSHOP_CHECK === 'json') console.error(line);
  else console.log(line);
}

function describe({ lane, reason, without }: Backends): string {
  if (reason) return `${lane} (${reason})`;
  return without.length > 0 ? `${lane}, WITHOUT=${without}` : lane;
}

/** What a run has proved, and what not. */
function proof({ lane, without }: Backends, project: TestProject): string {
  if (lane === 'local')
    return 'What passed left the process and decodes; only BACKENDS=containers proves that it lands.';
  const landed = 'What passed has landed in real backends.';
  return without.length > 0
    ? `${landed} Not proved, as they need ${without}: ${skippedFor(without, project)} tests.`
    : landed;
}

function skippedFor(without: string[], project: TestProject): number {
  const tests = project.vitest.state.getTestModules().flatMap(({ children }) => [...children.allTests('skipped')]);
  return tests.filter(({ fullName }) => fullName.includes(`WITHOUT=${without}`)).length;
}

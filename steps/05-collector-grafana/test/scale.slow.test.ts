import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeProject } from '@workshop/backends/compose';
import { freePort } from '@workshop/backends/ports';
import { metricsPage, seriesOn } from '@workshop/backends/prometheus';
import { localLane, promQl } from '@workshop/testkit/backends';
import { copyStep, fencesIn, missingLines, sectionOf } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { customerOf, kinds, landedSpans, type Sent, sendTraces } from '../scale/load.ts';
import { hex, sendOtlp, tracesOf } from './otlp.ts';

const step = join(import.meta.dirname, '..');
const readme = await readFile(join(step, 'scale/README.md'), 'utf8');
const [refusal = ''] = fencesIn(sectionOf(readme, 'Break it'), 'text');
const lands = { timeout: 40_000, interval: 500 };
/** Of each trace. */
const SPANS = 3;
/** How long a span takes at most through queues and batches, and until the next round of decisions, beside `decision_wait`. */
const DELAY_S = 3;
/** How many traces the gateways have met: one that is split between two is counted twice. */
const MET = 'otelcol_processor_tail_sampling_new_trace_id_received_total';
const DECIDED = 'otelcol_processor_tail_sampling_global_count_traces_sampled_total';

describe.skipIf(localLane)('agents and gateways (local lane: no Collector)', () => {
  let stack: Awaited<ReturnType<typeof startStack>>;
  beforeAll(async () => {
    stack = await startStack();
  }, 60_000);
  afterAll(() => stack?.[Symbol.asyncDispose]());

  test('2,000 traces by three clients: none is split, all with errors and all slow ones are kept, one in ten others', async () => {
    const sent = await sendTraces(2_000, { env: stack.env });
    await expect.poll(() => stack.sum(MET), lands).toBe(2_000);
    expect((await stack.query(MET)).map(({ value }) => value > 0)).toEqual([true, true]);

    await stack.settled();
    const kept = await keptOf(sent, stack.env);
    console.log(`Kept of 2,000 traces: ${JSON.stringify(kept)}.`);
    expect(kept).toMatchObject({ error: 100, slow: 100 });
    // One in ten of 1,800, within three standard deviations.
    expect(Math.abs(kept.other - 180)).toBeLessThan(3 * Math.sqrt(1_800 * 0.1 * 0.9));
    const inPart = [...(await landedSpans(stack.env))].filter(([, spans]) => spans !== SPANS);
    expect(inPart, 'traces of which a part was kept').toEqual([]);
  });

  test('the span metrics count what was asked, not what was kept', async () => {
    // At least once, as the README says: of a batch that one gateway did not take in time, the other's part comes twice.
    const asked = { 'frontend UNSET': 2_000, 'backend UNSET': 1_900, 'backend ERROR': 100, 'search UNSET': 2_000 };
    const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);
    const cameIn = () => stack.sum('otelcol_receiver_accepted_spans_total{job="gateways"}');
    await expect.poll(async () => total(await stack.calls()) - (await cameIn()), lands).toBe(0);
    const calls = await stack.calls();
    expect(Object.keys(calls).sort()).toEqual(Object.keys(asked).sort());
    for (const [name, count] of Object.entries(asked)) {
      expect(calls[name], name).toBeGreaterThanOrEqual(count);
      expect(calls[name], name).toBeLessThan(1.1 * count);
    }
  });

  test('20,000 spans, each with a name of its own: all are counted, in few series', async () => {
    for (let request = 0; request < 20; request += 1) {
      const spans = Array.from({ length: 1_000 }, () => ({ traceId: hex(32), spanId: hex(16) }));
      const named = spans.map((span) => ({ ...span, name: `flood ${span.spanId}` }));
      await sendOtlp('traces', tracesOf('flood', named), `http://localhost:${stack.env.OTLP_PORT}`);
    }
    const calls = 'traces_span_metrics_calls_total{job="flood"}';
    await expect.poll(() => stack.sum(calls), lands).toBeGreaterThanOrEqual(20_000);
    const series = await stack.query(`count by (gateway) (${calls})`);
    // As many names as the limit has, and one series for all the others.
    expect(series.map(({ value }) => value)).toEqual([1_001, 1_001]);
    await stack.settled();
  });

  test('without the token, with a wrong one, without TLS: refused, and nothing lands', async () => {
    const before = await stack.sum(MET);
    const mistakes = {
      'no token': [/ +auth:\n +authenticator: bearertokenauth\n/, '', 'Unauthenticated'],
      'a wrong token': ['filename: /run/secrets/token', 'token: wrong', 'Unauthenticated'],
      'no TLS': [
        /auth:\n +authenticator: bearertokenauth\n +tls:\n(.*\n)+?\n/,
        'tls:\n          insecure: true\n\n',
        'Unavailable',
      ],
    } as const;
    const refused: Sent[] = [];
    for (const [mistake, [from, to, says]] of Object.entries(mistakes)) {
      await using agent = await stack.startAgent(mistake, from, to);
      refused.push(...(await sendTraces(20, { env: agent.env })));
      const message = `what an agent with ${mistake} makes of 60 spans`;
      // A refused token is final, and what was sent with it is lost; a connection that fails is tried again.
      const makes = says === 'Unauthenticated' ? { failed: 60, queued: 0 } : { failed: 0, queued: 60 };
      await expect.poll(() => agent.spans(), { ...lands, message }).toEqual(makes);
      await expect
        .poll(() => agent.log(), { ...lands, message: `the log of an agent with ${mistake}` })
        .toContain(says);
      if (mistake === 'a wrong token')
        await expect.poll(async () => missingLines(refusal, await agent.log()), lands).toEqual([]);
    }
    const sent = await sendTraces(20, { env: stack.env });
    await expect.poll(() => keptOf(sent, stack.env), lands).toMatchObject({ error: 1, slow: 1 });
    expect(await keptOf(refused, stack.env)).toEqual({ error: 0, slow: 0, other: 0 });
    expect(await stack.sum(MET)).toBe(before + 20);
  });

  test('scaled to three gateways: what is handed over then is not lost, not split, and spread over all three', async () => {
    await stack.scale(3);
    const before = await stack.sum(MET);
    const sent = await sendTraces(1_000, { env: stack.env });
    await expect.poll(() => stack.sum(MET), lands).toBe(before + 1_000);
    expect((await stack.query(MET)).map(({ value }) => value > 0)).toEqual([true, true, true]);
    await expect.poll(() => keptOf(sent, stack.env), lands).toMatchObject({ error: 50, slow: 50 });
  });

  test('the load says what was sent and what is kept, as the README shows it', async () => {
    const { stdout } = await execa(process.execPath, ['scale/load.ts', '2000'], { cwd: step, env: stack.env });
    const [quoted = ''] = fencesIn(sectionOf(readme, 'Do it'), 'text');
    expect(missingLines(quoted, stdout), stdout).toEqual([]);
  });

  test('with three gateways the whole may use 2.5 GB', async () => {
    const compose = parse(await readFile(join(step, 'scale/compose.yaml'), 'utf8'), { merge: true });
    const limits = Object.entries<{ mem_limit: string }>(compose.services).map(
      ([name, { mem_limit }]) => Number.parseInt(mem_limit, 10) * (name === 'gateway' ? 3 : 1),
    );
    expect(limits.reduce((sum, megabytes) => sum + megabytes)).toBeLessThanOrEqual(2_560);
    console.log(`In use:\n${await stack.usage()}`);
  });

  test('back to two while traces are sent: the gateway that is stopped decides first, and no error is lost', async () => {
    await stack.scale(3);
    const sending = sendTraces(1_000, { env: stack.env, perSecond: 100 });
    await sleep(4_000);
    await stack.scale(2);
    const sent = await sending;
    await stack.settled();
    const kept = await keptOf(sent, stack.env);
    console.log(`Scaled down under load: ${JSON.stringify(kept)}.`);
    expect(kept).toMatchObject({ error: 50 });
  });

  test.each([5, 1])(
    'a gateway killed under load, with decision_wait %i s: lost are traces that it had not decided on',
    async (wait) => {
      await using _ = await stack.changed('gateway.yaml', (config) => config.replace('wait: 5s', `wait: ${wait}s`));
      await stack.scale(2);
      const sending = sendTraces(4_000, { env: stack.env });
      await sleep(10_000);
      const killed = Date.now();
      await stack.killGateway();
      const sent = await sending;
      await stack.settled();

      const landed = await landedSpans(stack.env);
      const errors = sent.filter(({ kind }) => kind === 'error');
      const lost = errors.filter(({ traceId }) => !landed.has(traceId));
      const undecided = errors.filter(
        ({ time }) => time > killed - (wait + DELAY_S) * 1_000 && time < killed + DELAY_S * 1_000,
      );
      console.log(
        `Killed, ${wait} s: of ${errors.length} errors ${lost.length} lost; ${undecided.length} around that time.`,
      );
      expect(
        lost.filter((each) => !undecided.includes(each)),
        'lost, though decided before or sent after',
      ).toEqual([]);
      const quoted = new RegExp(`^\\| ${wait} s \\| \\d+ \\| (\\d+) \\|$`, 'm').exec(sectionOf(readme, 'Break it'));
      expect(lost.length, 'far more than the README says').toBeLessThanOrEqual(3 * Number(quoted?.[1]));
      await stack.scale(2);
    },
  );

  test('Jaeger stopped for a while under load: no error is lost', async () => {
    const sending = sendTraces(2_000, { env: stack.env, perSecond: 100 });
    await stack.docker('stop', 'jaeger');
    await sleep(10_000);
    await stack.docker('start', 'jaeger');
    const sent = await sending;
    await stack.settled();
    expect(await keptOf(sent, stack.env)).toMatchObject({ error: 100, slow: 100 });
  });

  test('the costs: tail sampling, and head sampling with nothing behind it', async () => {
    const tail = await costsOf(10_000, 1);
    await using _ = await stack.changed('gateway.yaml', (config) => config.replace(', tail_sampling]', ']'));
    const head = await costsOf(10_000, 0.1);
    console.log(JSON.stringify({ tail, head }));
    // What is sent twice makes these two a little more.
    const all = expect.toSatisfy((spans) => spans >= 30_000 && spans < 33_000);
    expect(tail).toMatchObject({ agentsIn: 30_000, agentsOut: all, gatewaysIn: all });
    expect(tail.kept).toMatchObject({ error: 500, slow: 500 });
    const rows = [...sectionOf(readme, 'See it').matchAll(/^\| (.+?) \| ([\d,.]+).* \| ([\d,.]+).* \|$/gm)];
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(measures));
    for (const [, name = '', ...quoted] of rows) {
      const [measure, factor] = measures[name] ?? [];
      for (const [index, costs] of [tail, head].entries()) {
        const ratio = Number(measure?.(costs)) / Number(quoted[index]?.replaceAll(',', ''));
        expect(Math.abs(Math.log(ratio)), `${name}: ${measure?.(costs)}`).toBeLessThan(Math.log(Number(factor)));
      }
    }
  });

  describe('the tasks', () => {
    const [customer = '', behind = '', byService = ''] = fencesIn(readme, 'diff');

    test('1: every trace of the customer is kept', async () => {
      await using _ = await stack.patched('gateway.yaml', customer);
      const sent = await sendTraces(1_000, { env: stack.env });
      await stack.settled();
      const landed = await landedSpans(stack.env);
      const ofCustomer = sent.filter(({ traceId }) => customerOf(traceId) === 'customer-7');
      console.log(`customer-7: ${ofCustomer.length} of 1,000.`);
      expect(ofCustomer.filter(({ traceId }) => !landed.has(traceId))).toEqual([]);
      const kept = sent.filter(({ traceId }) => landed.has(traceId)).length;
      expect(kept, 'the others are sampled').toBeLessThan(300);
    });

    test('2: behind the sampling, the metrics count what was kept', async () => {
      await using _ = await stack.patched('gateway.yaml', customer, behind);
      const sent = await sendTraces(2_000, { env: stack.env });
      await stack.settled();
      const kept = await keptOf(sent, stack.env);
      const all = kept.error + kept.slow + kept.other;
      console.log(`Counted behind the sampling: ${all} of 2,000, errors ${(kept.error / all) * 100} %.`);
      // A batch that was tried while the gateways started may be counted twice.
      const errors = async () => (await stack.calls())['backend ERROR'];
      await expect.poll(errors, lands).toBeGreaterThanOrEqual(100);
      const calls = Number((await stack.calls())['frontend UNSET']);
      expect(calls, 'fewer than were kept').toBeGreaterThanOrEqual(all);
      expect(calls, 'more than were kept').toBeLessThan(500);
      expect(all).toBeLessThan(500);
      expect(kept.error / all).toBeGreaterThan(0.2);
    });

    test('3: by service, each gateway meets all traces or none: they are split', async () => {
      await stack.scale(3);
      await using _ = await stack.patched('agent.yaml', byService);
      const before = await stack.query(MET);
      await sendTraces(1_000, { env: stack.env });
      const met = async () =>
        (await stack.query(MET)).map(
          ({ labels, value }) => value - (before.find((each) => each.labels.gateway === labels.gateway)?.value ?? 0),
        );
      await expect.poll(async () => Math.max(...(await met())), lands).toBe(1_000);
      await stack.settled();
      console.log(`By service, the gateways meet ${await met()} of 1,000 traces.`);
      expect((await met()).filter((traces) => traces !== 0 && traces !== 1_000)).toEqual([]);
    });
  });

  /** What agents and gateways do for `count` traces, CPU in seconds beyond that of doing nothing. */
  async function costsOf(count: number, head: number): Promise<Costs> {
    let sent: Sent[] = [];
    const before = await costsWhile(() => sleep(10_000));
    const { durationMs, costs } = await costsWhile(async () => {
      sent = await sendTraces(count, { env: stack.env, perSecond: 2_000, head });
      await stack.settled();
    });
    const after = await costsWhile(() => sleep(10_000));
    const added = Object.entries(costs).map(([name, value]) => {
      // What the machine does besides may fall into one of the two.
      const idle = Math.min(...[before, after].map((rest) => Number(rest.costs[name]) / rest.durationMs));
      return [name, value - idle * durationMs];
    });
    return { ...Object.fromEntries(added), kept: await keptOf(sent, stack.env) };
  }

  /** What agents and gateways have done meanwhile, by their own metrics. */
  async function costsWhile(work: () => Promise<void>) {
    const [before, start] = [await stack.costs(), Date.now()];
    await work();
    const [after, end] = [await stack.costs(), Date.now()];
    const costs = Object.entries(after).map(([name, value]) => [name, value - Number(before[name])]);
    return { durationMs: end - start, costs: Object.fromEntries(costs) as Record<string, number> };
  }
});

type Costs = Record<string, number> & { kept: Record<Sent['kind'], number> };

/** The rows of the table of costs under "See it": what is measured, and by what factor a run may differ. */
const measures: Record<string, [measure: (costs: Costs) => number, factor: number]> = {
  'spans from the services to the agents': [({ agentsIn }) => Number(agentsIn), 1.5],
  'their bytes, in JSON': [({ agentsBytesIn }) => Number(agentsBytesIn) / 1e6, 1.5],
  'spans from the agents to the gateways': [({ agentsOut }) => Number(agentsOut), 1.5],
  'their bytes': [({ agentsBytes }) => Number(agentsBytes) / 1e6, 1.5],
  'spans from the gateways to Jaeger': [({ gatewaysOut }) => Number(gatewaysOut), 1.5],
  'the bytes of these': [({ gatewaysBytes }) => Number(gatewaysBytes) / 1e6, 1.5],
  'traces with an error in Jaeger, of 500': [({ kept }) => kept.error, 2],
  'slow traces in Jaeger, of 500': [({ kept }) => kept.slow, 2],
  // CPU depends on the machine, and on what else it does.
  'CPU of the agents for 1,000 spans': [({ agentsCpu, agentsIn }) => (1e6 * Number(agentsCpu)) / Number(agentsIn), 10],
  'CPU of the gateways for 1,000 spans': [
    ({ gatewaysCpu, gatewaysIn }) => (1e6 * Number(gatewaysCpu)) / Number(gatewaysIn),
    10,
  ],
};

/** How many of the traces are in Jaeger, by kind. */
async function keptOf(sent: Sent[], env: Record<string, string>) {
  const landed = await landedSpans(env);
  const kept = (kind: string) => sent.filter((each) => each.kind === kind && landed.has(each.traceId)).length;
  return Object.fromEntries(kinds.map((kind) => [kind, kept(kind)])) as Record<Sent['kind'], number>;
}

/** scale/ in a copy, running, with secrets of its own. */
async function startStack() {
  const copy = await copyStep(step);
  const folder = join(copy.dir, 'scale');
  await execa(process.execPath, ['secrets.ts'], { cwd: folder });
  const project = await composeProject();
  await project.up(folder);
  const { env } = project;
  const docker = (...args: string[]) =>
    execa('docker', ['compose', '-p', project.project, ...args], { cwd: folder, env });
  const query = (promql: string) => promQl(promql, String(env.PROMETHEUS_PORT));
  const sum = async (metric: string) => (await query(`sum(${metric})`))[0]?.value ?? 0;
  const number = async (metric: string) => (await query(metric)).length;
  const changed = async (file: string, change: (config: string) => string) => {
    const path = join(folder, file);
    const config = await readFile(path, 'utf8');
    const restart = async (content: string) => {
      await writeFile(path, content);
      await docker('restart', ...(file === 'agent.yaml' ? ['agent-frontend', 'agent-backend'] : ['gateway']));
      // A gateway has met no trace yet.
      if (file === 'gateway.yaml') await expect.poll(() => number(MET), lands).toBe(0);
    };
    if (change(config) !== config) await restart(change(config));
    return { [Symbol.asyncDispose]: async () => restart(config) };
  };
  return {
    env,
    docker,
    query,
    sum,
    /** The calls that the span metrics count, by service and status. */
    async calls() {
      const series = await query('sum by (service_name, status_code) (traces_span_metrics_calls_total)');
      return Object.fromEntries(
        series.map(({ labels, value }) => [
          `${labels.service_name} ${labels.status_code?.replace('STATUS_CODE_', '')}`,
          value,
        ]),
      );
    },
    /** Runs with a configuration changed, until it is disposed of. */
    changed,
    /** Runs with `patches` of the README applied to a configuration. */
    async patched(file: string, ...patches: string[]) {
      await using patchedCopy = await copyStep(folder, patches);
      const config = await patchedCopy.read(file);
      return changed(file, () => config);
    },
    /** Has this number of gateways run, and waits until both agents and Prometheus know them. */
    async scale(gateways: number) {
      await docker('up', '--detach', '--no-recreate', '--scale', `gateway=${gateways}`);
      await expect.poll(() => number('up{job="gateways"} == 1'), lands).toBe(gateways);
      await expect.poll(() => number(`otelcol_loadbalancer_num_backends == ${gateways}`), lands).toBe(2);
    },
    killGateway: () => execa('docker', ['kill', `${project.project}-gateway-1`]),
    /** Waits until the gateways have decided on all that they hold, and no more comes to Jaeger. */
    async settled() {
      await expect.poll(async () => (await sum(MET)) - (await sum(DECIDED)), lands).toBe(0);
      let before = -1;
      const same = async () => {
        const { size } = await landedSpans(env);
        const isSame = size === before;
        before = size;
        return isSame;
      };
      await expect.poll(same, { timeout: 40_000, interval: 2_000 }).toBe(true);
    },
    /** What agents and gateways have done by now, by their own metrics. */
    async costs() {
      const of: Record<string, string> = {
        agentsBytesIn: 'http_server_request_body_size_bytes_sum{job="agents"}',
        agentsIn: 'otelcol_receiver_accepted_spans_total{job="agents"}',
        agentsOut: 'otelcol_exporter_sent_spans_total{job="agents"}',
        agentsBytes: 'otelcol_exporter_queue_batch_send_size_bytes_sum{job="agents"}',
        agentsCpu: 'otelcol_process_cpu_seconds_total{job="agents"}',
        gatewaysIn: 'otelcol_receiver_accepted_spans_total{job="gateways"}',
        gatewaysOut: 'otelcol_exporter_sent_spans_total{job="gateways"}',
        gatewaysBytes: 'otelcol_exporter_queue_batch_send_size_bytes_sum{job="gateways"}',
        gatewaysCpu: 'otelcol_process_cpu_seconds_total{job="gateways"}',
      };
      const values = Object.entries(of).map(async ([name, metric]) => [name, await sum(metric)] as const);
      return Object.fromEntries(await Promise.all(values)) as Record<string, number>;
    },
    async usage() {
      const { stdout: ids } = await docker('ps', '--quiet');
      const format = ['--format', '{{.Name}} {{.MemUsage}}'];
      return (await execa('docker', ['stats', '--no-stream', ...format, ...ids.split('\n')])).stdout;
    },
    /** Starts one more agent, with an edit of its configuration. */
    async startAgent(name: string, from: string | RegExp, to: string) {
      const config = join(folder, `${name}.yaml`);
      const source = await readFile(join(folder, 'agent.yaml'), 'utf8');
      // Two agents cannot share a queue.
      const edited = source.replace(from, to).replace('/otelcol/queue', `/otelcol/${name.replaceAll(' ', '-')}`);
      await writeFile(config, edited, { mode: 0o644 });
      const [port, metricsPort] = [String(await freePort()), String(await freePort())];
      const { stdout: id } = await docker(
        ...['run', '--detach', '--no-deps', '--publish', `127.0.0.1:${port}:4318`],
        ...['--publish', `127.0.0.1:${metricsPort}:8888`],
        ...['--volume', `${config}:/etc/mistake.yaml:ro`, 'agent-backend', '--config=/etc/mistake.yaml'],
      );
      const sumOf = (page: string, metric: string) =>
        seriesOn(page, metric).reduce((total, { value }) => total + value, 0);
      const log = async () => (await execa('docker', ['logs', id], { all: true })).all.replaceAll('\t', ' ');
      await expect.poll(log, lands).toContain('Everything is ready');
      return {
        env: { OTLP_PORT: port, BACKEND_OTLP_PORT: port },
        log,
        /** The spans that it has given up, and those that wait. */
        async spans() {
          const page = await metricsPage(Number(metricsPort));
          return {
            failed: sumOf(page, 'otelcol_exporter_send_failed_spans_total'),
            queued: sumOf(page, 'otelcol_exporter_queue_size'),
          };
        },
        [Symbol.asyncDispose]: async () => void (await execa('docker', ['rm', '--force', id])),
      };
    },
    [Symbol.asyncDispose]: async () => {
      await project[Symbol.asyncDispose]();
      await copy[Symbol.asyncDispose]();
    },
  };
}

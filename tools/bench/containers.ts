import { execa } from 'execa';
import { type Figure, figure } from './figures.ts';

const MIB: Record<string, number> = { B: 2 ** -20, KiB: 2 ** -10, MiB: 1, GiB: 2 ** 10 };
/** MiB. */
export type Usage = { peak: number; limit: number };

/** Watches the memory of a Compose project's containers, every second, by `docker stats`, until it is disposed of. */
export async function watchMemory(project: string) {
  const filter = `label=com.docker.compose.project=${project}`;
  const names = await execa('docker', ['ps', '--filter', filter, '--format', '{{.Names}}'], { lines: true });
  const args = ['stats', '--format', '{{.Name}} {{.MemUsage}}', ...names.stdout];
  const stats = execa('docker', args, { reject: false, buffer: false });
  const usage = new Map<string, Usage>();
  // As in `PROJECT-collector-1 45.2MiB / 384MiB`.
  const pattern = new RegExp(`${project}-([\\w-]+)-\\d+ ([\\d.]+)(\\w+) / ([\\d.]+)(\\w+)`);
  const watching = (async () => {
    for await (const line of stats) {
      const [, service, used, unit = '', limit, limitUnit = ''] = pattern.exec(line) ?? [];
      if (!service) continue;
      const peak = Math.max(usage.get(service)?.peak ?? 0, Number(used) * (MIB[unit] ?? Number.NaN));
      usage.set(service, { peak, limit: Number(limit) * (MIB[limitUnit] ?? Number.NaN) });
    }
  })();
  return {
    /** By service. */
    usage,
    async [Symbol.asyncDispose]() {
      stats.kill();
      await watching;
    },
  };
}

/** The peak of each service in each round, against what its container may use. */
export function memoryFigures(rounds: Map<string, Usage>[]): Figure[] {
  return [...(rounds[0]?.keys() ?? [])].sort().map((service) => {
    const values = rounds.map((usage) => usage.get(service)?.peak ?? Number.NaN);
    const limits = rounds.map((usage) => usage.get(service)?.limit ?? Number.NaN);
    return figure(`peak memory of ${service}`, 'MiB', values, { baseline: { id: 'mem_limit', values: limits } });
  });
}

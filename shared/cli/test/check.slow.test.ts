import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fencesIn, sectionOf } from '@workshop/testkit/readme';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { copyWorkshop } from './copy.ts';

const canUseTerminal = process.platform === 'linux' && existsSync('/usr/bin/script');

test.skipIf(!canUseTerminal)(
  'check --watch: h gives a hint, d the whole diff, a save is checked, Ctrl-C leaves nothing running (on Linux: needs script)',
  async () => {
    await using workshop = await copyWorkshop();
    const { dir, playground, run, read, env } = workshop;
    await run(['begin', '02']);
    // What backends leave behind is found in here.
    const temporary = join(dir, 'temporary');
    await mkdir(temporary);
    // Few rows, so that git would start a pager.
    const watch = 'stty rows 10 cols 80 && workshop check --watch';
    const command = ['--quiet', '--return', '--flush', '--command', watch, '/dev/null'];
    const terminal = execa('script', command, {
      cwd: playground,
      env: { ...env, TMPDIR: temporary },
      reject: false,
      killDescendants: true,
    });
    let shown = '';
    terminal.stdout.on('data', (chunk) => {
      shown += chunk;
    });
    const shows = (pattern: RegExp) => expect.poll(() => shown, { timeout: 60_000, interval: 50 }).toMatch(pattern);
    try {
      await shows(/npx workshop check --watch checks again/);
      const [project = ''] = (await readdir(temporary)).filter((name) => name.startsWith('otel-workshop-'));
      expect(project).not.toBe('');
      expect(await processesIn(dir)).not.toEqual([]);

      terminal.stdin.write('h');
      await shows(/Hint 1 of 1, for src\/telemetry\.ts/);

      terminal.stdin.write('d');
      await shows(/onExit\(\(\) => sdk\.shutdown/);

      const saved = performance.now();
      for (const solution of fencesIn(sectionOf(await read('README.md'), 'Do it'), 'diff')) {
        await execa('git', ['apply', '-'], { cwd: playground, input: solution });
      }
      await shows(/Next: npx workshop begin 03/);
      console.log(`Green ${((performance.now() - saved) / 1000).toFixed(1)} s after the save.`);

      terminal.stdin.write('\x03');
      expect((await terminal).exitCode, shown).toBe(0);
      await expect.poll(() => processesIn(dir), { timeout: 20_000, interval: 250 }).toEqual([]);
      expect(await readdir(temporary)).not.toContain(project);
      expect(await containersOf(project.toLowerCase())).toBe('');
    } finally {
      terminal.kill('SIGKILL');
      await terminal;
    }
  },
);

/** The command lines of the processes that work in a folder. */
async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const workedIn = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      return workedIn.startsWith(folder) ? [await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')] : [];
    }),
  );
  return lines.flat();
}

/** The ids of a Compose project's containers; none without Docker. */
async function containersOf(project: string): Promise<string> {
  const filter = `label=com.docker.compose.project=${project}`;
  const { stdout } = await execa('docker', ['ps', '--all', '--quiet', '--filter', filter], { reject: false });
  return stdout ?? '';
}

import { installOwnApp } from '@workshop/testkit/own-app';
import { expect, test } from 'vitest';

const readme = (install: string) => `
### In your own app

\`\`\`sh
${install}
\`\`\`

\`\`\`ts
// telemetry.ts
import { trace } from '@opentelemetry/api';

console.log('ready', trace.getActiveSpan(), process.version, process.env.NAME);
\`\`\`

\`\`\`ts
// app.ts
console.log('asked');
process.exitCode = 3;
\`\`\`

\`\`\`sh
node --import ./telemetry.ts app.ts
\`\`\`
`;

test("an app of one's own is installed and run as its README says, by the Node that runs the tests", async () => {
  await using own = await installOwnApp(readme('npm i @opentelemetry/api@1.10.0'));
  const app = own.start({ NAME: 'own' });

  expect(await app.ended).toEqual({
    exitCode: 3,
    stdout: `ready undefined ${process.version} own\nasked\n`,
    stderr: '',
  });
  expect(process.version).toMatch(/^v24/);
  expect(own.dir).toContain(' ');
});

test('a package that does not exist fails with what npm says', async () => {
  await expect(installOwnApp(readme('npm i @opentelemetry/api@0.0.77'))).rejects.toThrow(/npm error code ETARGET/);
});

import { settingNames } from '@workshop/llm/settings';
import { wrongUsage } from './arguments.ts';

/** What `--set NAME=VALUE` can set. */
export const settable = [
  ...settingNames.filter((name) => name !== 'LLM_API_KEY'),
  'FRONTEND_PORT',
  'FRONTEND_HOSTS',
  'BACKEND_PORT',
  'BACKEND_URL',
  'BACKEND_TIMEOUT_MS',
  'JAEGER_UI_PORT',
  'VICTORIALOGS_PORT',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_LOG_LEVEL',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
  'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
  'OTEL_EXPORTER_PROMETHEUS_PORT',
  'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT',
];

/** The part of a program's help that is about settings. */
export const settingsHelp = `Settings: --set NAME=VALUE sets one for this run, as often as you like. It wins over the environment, which wins
over the file .env (see .env.example). What can be set:
${settable.map((name) => `  ${name}`).join('\n')}
LLM_API_KEY cannot: other programs can read a command line. Write it into .env.`;

/** What is wrong with BACKEND_URL, without its value. The error of a request to one with a password would repeat it. */
export function backendProblems({ BACKEND_URL = '' }: NodeJS.ProcessEnv): string[] {
  const { username, password } = URL.parse(BACKEND_URL) ?? {};
  return username || password ? ['BACKEND_URL must hold no user name and no password'] : [];
}

/** Takes `--set NAME=VALUE` and `--set=NAME=VALUE` out of `argv` and into `env`. Ends the program with 2 if one is wrong. */
export function takeSettings(argv: string[], env: NodeJS.ProcessEnv): void {
  const args = argv.splice(2);
  for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
    if (arg === '--set') set(args.shift());
    else if (arg.startsWith('--set=')) set(arg.slice('--set='.length));
    else argv.push(arg);
  }

  function set(setting = ''): void {
    const [, name = '', value] = /^(\w+)=(.+)$/s.exec(setting) ?? [];
    if (!value) wrongUsage('--set needs a name and a value, as in --set LLM_FAULT=slow.', settingsHelp);
    if (!settable.includes(name)) wrongUsage(`--set cannot set ${name}.`, settingsHelp);
    env[name] = value;
  }
}

import { z } from 'zod';

export const faults = ['rate-limit', 'server-error', 'timeout', 'malformed', 'truncated', 'slow'] as const;

export type Fault = (typeof faults)[number];

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_MS = 600_000;

/** What can be sent in a header: https://www.rfc-editor.org/rfc/rfc9110#section-5.5 */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const milliseconds = z.coerce
  .number({ error: 'must be a number of milliseconds' })
  .int('must be a whole number of milliseconds')
  .min(0, 'must not be negative')
  .max(MAX_MS, `must be at most ${MAX_MS} (ten minutes)`);

const baseUrl = z
  .string()
  .refine(isHttpUrl, 'must be an address like https://api.openai.com/v1')
  // The instrumentations of later steps record the whole address on spans.
  .refine(
    (url) => !isHttpUrl(url) || isBare(new URL(url)),
    'must hold no user name, password, query or fragment; the key goes into LLM_API_KEY',
  )
  .transform((url) => url.replace(/\/+$/, ''));

const Settings = z
  .object({
    LLM_BASE_URL: baseUrl.optional(),
    LLM_API_KEY: z.string().regex(HEADER_VALUE, 'must be one line of Latin letters, digits and signs').optional(),
    LLM_MODEL: z.string().optional(),
    LLM_FAULT: z.enum(faults, { error: `must be one of ${faults.join(', ')}` }).optional(),
    LLM_LATENCY_MS: milliseconds.default(0),
    LLM_TIMEOUT_MS: milliseconds.min(1, 'must be at least 1').default(DEFAULT_TIMEOUT_MS),
  })
  .superRefine((settings, context) => {
    if (!settings.LLM_BASE_URL) return;
    const complain = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
    if (!settings.LLM_MODEL) complain('LLM_MODEL', 'must name a model of the provider in LLM_BASE_URL');
    if (settings.LLM_FAULT) complain('LLM_FAULT', 'works with the embedded model only: unset LLM_BASE_URL');
    if (settings.LLM_LATENCY_MS) complain('LLM_LATENCY_MS', 'works with the embedded model only: unset LLM_BASE_URL');
  });

export type Settings = z.infer<typeof Settings>;

/** The variables that `readSettings` reads. */
export const settingNames = Object.keys(Settings.shape);

/** Reads the LLM_* variables; an empty one counts as unset. Throws an Error that names the wrong variables, not their values. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const set = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value?.trim() || undefined]));
  const parsed = Settings.safeParse(set);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path[0]?.toString()} ${issue.message}`);
  const error = new Error(`Settings (environment or .env): ${problems.join('; ')}.`);
  // One line for a person: where in the code it was noticed helps nobody.
  error.stack = error.message;
  throw error;
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function isBare(url: URL): boolean {
  return !url.username && !url.password && !/[?#]/.test(url.href);
}

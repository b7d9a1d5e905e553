/** Values of `gen_ai.provider.name` by the host that is called. */
const providers: [RegExp, string][] = [
  [/(^|\.)openai\.azure\.com$/, 'azure.ai.openai'],
  [/(^|\.)openai\.com$/, 'openai'],
  [/(^|\.)groq\.com$/, 'groq'],
  [/(^|\.)mistral\.ai$/, 'mistral_ai'],
  [/(^|\.)deepseek\.com$/, 'deepseek'],
  [/(^|\.)x\.ai$/, 'x_ai'],
  [/(^|\.)anthropic\.com$/, 'anthropic'],
  [/(^|\.)perplexity\.ai$/, 'perplexity'],
  [/^generativelanguage\.googleapis\.com$/, 'gcp.gemini'],
];

/**
 * `gen_ai.provider.name` of the provider at `host`. An unknown host speaks OpenAI's API, or the call would fail: the
 * conventions have `server.address` and the model's name tell such providers apart.
 */
export function providerOf(host: string): string {
  return providers.find(([pattern]) => pattern.test(host))?.[1] ?? 'openai';
}

// Values that scripts ask for as `${labels.x}`, `${annotations.x}` and `${host.x}`.

/** Where a value comes from: the alert's labels, its annotations, or the host's own labels. */
export type ValueSource = 'labels' | 'annotations' | 'host';

export type ValueName = { readonly source: ValueSource; readonly name: string };

/** A new one for each use: a regular expression with `g` remembers where it was. */
export const placeholders = (): RegExp => /\$\{(labels|annotations|host)\.([^}]+)\}/g;

type Texts = { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };

/** The values that one script asks for, each once. */
export function namesIn({ args, env }: Texts): readonly ValueName[] {
  const found = new Map<string, ValueName>();
  for (const text of [...args, ...Object.values(env)]) {
    for (const [whole, source, name = ''] of text.matchAll(placeholders())) {
      // The expression knows no other source.
      found.set(whole, { source: source as ValueSource, name });
    }
  }
  return [...found.values()];
}

/**
 * Names that any script of a runbook takes from one source, sorted: what a repair carries of
 * annotations and of its hosts is no more than that.
 */
export function namesUsed(runbook: unknown, source: ValueSource): readonly string[] {
  const names = scriptsIn(runbook)
    .flatMap(namesIn)
    .filter((found) => found.source === source)
    .map(({ name }) => name);
  return [...new Set(names)].sort();
}

/** Whatever has arguments and an environment, however deep: steps, probes, proofs and what undoes them. */
function scriptsIn(value: unknown): readonly Texts[] {
  if (value === null || typeof value !== 'object') return [];
  const inner = Object.values(value).flatMap(scriptsIn);
  return 'args' in value && 'env' in value ? [value as Texts, ...inner] : inner;
}

/** A url for one host, or why there is none for it. */
export type ProbeUrl =
  | { readonly kind: 'filled'; readonly url: string }
  | { readonly kind: 'refused'; readonly detail: string };

const placeholder = /\$\{([^}]*)\}?/g;
/** A host and port as they may stand between `//` and the path; IPv6 gets its brackets below. */
const plainAuthority = /^[A-Za-z0-9._:-]+$/;
const ipv6 = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/;
const hostValues: ReadonlySet<string> = new Set(['host.hostname', 'host.ip']);

/** What of a url's `${…}` is not known, with the fix; null if it can be filled in. */
export function probeUrlFlaw(text: string): string | null {
  for (const [whole, name = ''] of text.matchAll(placeholder)) {
    const isKnown = hostValues.has(name) || /^labels\.[^}]+$/.test(name);
    if (isKnown && whole.endsWith('}')) continue;
    return `"${whole}" is not known; values are written \${labels.<name>}, \${host.hostname} and \${host.ip}`;
  }
  return null;
}

/** Names of alert labels that a url needs. */
export const labelsInUrl = (text: string): readonly string[] => [
  ...new Set(
    [...text.matchAll(placeholder)].flatMap(([, name = '']) =>
      name.startsWith('labels.') ? [name.slice('labels.'.length)] : [],
    ),
  ),
];

/**
 * The url with the values of one host. Before the path a value is taken only where it can be nothing
 * but a host or a port; behind it whatever it holds is data. So no alert makes a url of another form.
 */
export function fillProbeUrl(text: string, lookUp: (name: string) => string | undefined): ProbeUrl {
  const [, scheme = '', authority = '', rest = ''] =
    /^(https?:\/\/)([^/?#]*)(.*)$/s.exec(text) ?? [];
  let refusal: string | null = null;
  const fill = (part: string, written: (value: string, name: string) => string | null) =>
    part.replaceAll(placeholder, (_, name: string) => {
      const value = lookUp(name);
      const filled = value === undefined || value === '' ? null : written(value, name);
      if (filled === null) {
        refusal ??= value ? `"${value}" of ${name} is no host or port` : `the host has no ${name}`;
      }
      return filled ?? '';
    });
  const filledAuthority = fill(authority, (value) => {
    if (ipv6.test(value)) return `[${value}]`;
    return plainAuthority.test(value) ? value : null;
  });
  const url =
    scheme + filledAuthority + fill(rest, (value) => encodeURIComponent(value.toWellFormed()));
  return refusal === null ? { kind: 'filled', url } : { kind: 'refused', detail: refusal };
}

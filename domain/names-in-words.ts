/** Names that are told one by one. */
const namedMax = 5;

/** `web1, web2`; of more than five the first, and how many more there are of `what`. */
export function namesInWords(names: readonly string[], what = ''): string {
  const told = names.slice(0, namedMax).join(', ');
  const more = names.length - namedMax;
  if (more <= 0) return told;
  return `${told} and ${more} more${what === '' ? '' : ` ${what}`}`;
}

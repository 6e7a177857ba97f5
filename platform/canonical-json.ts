/**
 * JSON with the keys of every object sorted, so that equal data has equal text and one digest. For
 * plain data; fields that are undefined are left out, as in JSON itself.
 */
export function canonicalJson(data: unknown): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data) ?? 'null';
  return Array.isArray(data)
    ? listText(data)
    : // Whatever else an object is, its fields are asked for.
      recordText(data as Readonly<Record<string, unknown>>);
}

// Texts are joined as they come: a task has 20,000 targets, and a list of the parts of each is dear.
function listText(items: readonly unknown[]): string {
  let text = '[';
  for (const item of items) text += text === '[' ? canonicalJson(item) : `,${canonicalJson(item)}`;
  return `${text}]`;
}

function recordText(record: Readonly<Record<string, unknown>>): string {
  let text = '{';
  for (const key of sortedKeys(record)) {
    const value = record[key];
    if (value === undefined) continue;
    text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value)}`;
  }
  return `${text}}`;
}

function sortedKeys(record: Readonly<Record<string, unknown>>): readonly string[] {
  const keys = Object.keys(record);
  for (let at = 1; at < keys.length; at += 1) {
    if ((keys[at - 1] ?? '') > (keys[at] ?? '')) return keys.sort();
  }
  return keys;
}

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

/**
 * The same text in pieces, each field of a record, and each item of a field that is a list, in one of its own: what
 * is long need not be written at one go.
 */
export function* canonicalParts(record: Readonly<Record<string, unknown>>): Generator<string> {
  let start = '{';
  for (const key of sortedKeys(record)) {
    const value = record[key];
    if (value === undefined) continue;
    const named = `${start}${JSON.stringify(key)}:`;
    start = ',';
    if (Array.isArray(value)) yield* listParts(named, value);
    else yield `${named}${canonicalJson(value)}`;
  }
  yield start === '{' ? '{}' : '}';
}

function* listParts(named: string, items: readonly unknown[]): Generator<string> {
  let start = `${named}[`;
  for (const item of items) {
    yield `${start}${canonicalJson(item)}`;
    start = ',';
  }
  yield items.length === 0 ? `${start}]` : ']';
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

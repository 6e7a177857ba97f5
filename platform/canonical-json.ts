/**
 * JSON with the keys of every object sorted, so that equal data has equal text and one digest. For
 * plain data; fields that are undefined are left out, as in JSON itself.
 */
export function canonicalJson(data: unknown): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data) ?? 'null';
  if (Array.isArray(data)) return `[${data.map(canonicalJson).join(',')}]`;
  const fields: string[] = [];
  const record = data as Readonly<Record<string, unknown>>; // Whatever else an object is, its fields are asked for.
  for (const key of Object.keys(record).sort()) {
    const value = record[key];
    if (value !== undefined) fields.push(`${JSON.stringify(key)}:${canonicalJson(value)}`);
  }
  return `{${fields.join(',')}}`;
}

/**
 * Alert values, script output and error texts come from elsewhere and end on a person's terminal,
 * where an escape sequence can rewrite what was printed before, and a bidirectional override can
 * show a command as another one. So whatever a server said passes through here first.
 */
const harmful = {
  /** Control characters but newline and tab, separators, bidirectional controls, byte order mark. */
  text: /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu,
  /** JSON escapes those below space by itself, and the newlines in it are ours. */
  json: /[\u007f-\u009f\p{Bidi_Control}\u2028\u2029\ufeff]/gu,
};

/** Text without control characters; newlines and tabs stay. */
export const plainText = (text: string): string => text.replace(harmful.text, '');

/** The same on one line: newlines and tabs become spaces. */
export const plainLine = (text: string): string => plainText(text.replace(/[\r\n\t]+/g, ' '));

/** Indented JSON whose control characters are all escaped, so that it is both exact and harmless. */
export const plainJson = (value: unknown): string => harmless(JSON.stringify(value, null, 2));

/** The same on one line, for commands that print one object after another. */
export const plainJsonLine = (value: unknown): string => harmless(JSON.stringify(value));

const harmless = (json: string): string =>
  json.replace(
    harmful.json,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

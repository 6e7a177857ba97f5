import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { z } from 'zod';

/** One flaw put into a valid sample: where (`a.b.0.c`), and what stands there; undefined takes it out. */
export type Flaw = readonly [path: string, value: unknown];

/**
 * Registers tests for one schema: the sample is taken, and each flaw alone is refused at its own
 * place, or at what encloses or fills it.
 */
export function schemaCases(
  name: string,
  schema: z.ZodType,
  of: { readonly valid: readonly unknown[]; readonly refused: readonly Flaw[] },
): void {
  it(`${name} takes what it should`, () => {
    for (const sample of of.valid) {
      const parsed = schema.safeParse(sample);
      assert.ok(parsed.success, JSON.stringify(parsed.error?.issues));
    }
  });
  for (const [path, value] of of.refused) {
    it(`${name} refuses ${path}: ${shown(value)}`, () => {
      const [sample] = of.valid;
      const parsed = schema.safeParse(changed(sample, path.split('.'), value));

      assert.ok(!parsed.success, 'it was taken');
      const places = parsed.error.issues.map((issue) => issue.path.join('.'));
      assert.ok(
        places.some(
          (place) =>
            // An unknown key is a flaw of what encloses it.
            place === '' || `${path}.`.startsWith(`${place}.`) || place.startsWith(`${path}.`),
        ),
        `flaws at ${places.join(' and ')}`,
      );
    });
  }
}

const shown = (value: unknown): string =>
  value === undefined ? 'missing' : (JSON.stringify(value) ?? '').slice(0, 60);

function changed(sample: unknown, path: readonly string[], value: unknown): unknown {
  const copy: unknown = structuredClone(sample);
  let at = copy as Record<string, unknown>; // Paths are written for the sample's own shape.
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

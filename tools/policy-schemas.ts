import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { duration } from '../contracts/duration.ts';
import { policySpec, targetsSpec } from '../contracts/policy.ts';
import { runbookSpec, scriptSpec } from '../contracts/runbook.ts';
import { durationText } from '../domain/duration-text.ts';

/** The files of `docs/schemas/`: what editors complete and check policies and runbooks by. */
export const policySchemas = {
  'policy.schema.json': () =>
    schemaText(policySpec, {
      title: 'Policy of Fixpoint',
      description:
        'Which alerts are acted on, which hosts they are about, which runbook repairs them.',
    }),
  'runbook.schema.json': () =>
    schemaText(runbookSpec, {
      title: 'Runbook of Fixpoint',
      description: 'The steps that repair a host, and what says that they helped.',
    }),
} as const;

/**
 * As a person writes it, so before defaults and durations are read. An editor learns less than
 * `policy check` knows: nothing about other files, matchers, and keys that depend on one another.
 */
function schemaText(
  schema: z.ZodType,
  about: { readonly title: string; readonly description: string },
): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    // What editors know best.
    target: 'draft-07',
    override({ zodSchema, jsonSchema }) {
      Object.assign(jsonSchema, written(zodSchema));
      // zod's own word for a beginning, which the pattern beside it says too; validators refuse it.
      if (jsonSchema.format === 'starts_with') delete jsonSchema.format;
    },
  });
  return `${JSON.stringify({ $schema, ...about, ...rest }, null, 2)}\n`;
}

type Added = { pattern?: string; default?: string; oneOf?: { required: string[] }[] };

/** What zod cannot tell of a schema, because code decides it. */
function written(schema: z.core.$ZodTypes): Added {
  const { def } = schema._zod;
  if (def === duration.def.in.def) return { pattern: '^[0-9]{1,9}(ms|s|m|h|d)$' };
  if (def.type === 'default' && isDuration(def.innerType)) {
    return { default: asWritten(Number(def.defaultValue)) };
  }
  if (schema === targetsSpec) return oneOf('from', 'select');
  if (schema === scriptSpec) return oneOf('file', 'inline');
  return {};
}

const oneOf = (...keys: readonly string[]): Added => ({
  oneOf: keys.map((key) => ({ required: [key] })),
});

/** Also one with bounds, which zod keeps as a pipe from the plain one or as a copy of it. */
function isDuration(schema: z.core.$ZodType): boolean {
  if (!(schema instanceof z.ZodPipe)) return false;
  return schema.def.in === duration.def.in || isDuration(schema.def.in);
}

// Of no time every unit is a whole multiple, and "0d" reads strangely.
const asWritten = (ms: number): string => (ms === 0 ? '0s' : durationText(ms));

/** Where a file of the schemas lies. */
export const schemaFile = (name: string): URL =>
  new URL(`../docs/schemas/${name}`, import.meta.url);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(policySchemas)) writeFileSync(schemaFile(name), text());
}

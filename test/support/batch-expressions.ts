import fc from 'fast-check';
import { type BatchPart, parseBatchExpression } from '../../domain/batch-expression.ts';

/** The parts of an expression that is right; throws for a wrong one. */
export function partsOf(expression: string | number): readonly BatchPart[] {
  const parsed = parseBatchExpression(expression);
  if (parsed.kind === 'wrong') throw new Error(`part ${parsed.part} ${parsed.fix}`);
  return parsed.parts;
}

/** Expressions of one to six parts, in their plainest form. */
export const aBatchExpression = (): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        fc.integer({ min: 1, max: 20_000 }).map(String),
        fc.integer({ min: 1, max: 60 }).map(String),
        fc.integer({ min: 1, max: 100 }).map((percent) => `${percent}%`),
        fc.integer({ min: 1, max: 300 }).map((hosts) => `+${hosts}`),
        fc.integer({ min: 1, max: 5 }).map((factor) => `*${factor}`),
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((parts) => parts.join(' '));

import { z } from 'zod';
import { limits } from './limits.ts';

const error = 'must be a number of hosts from 1, or a percentage from "1%" to "100%"';

/** A number of hosts, or a percentage of a whole that is known when it is asked: `5`, `"25%"`. */
export const share = z.union([
  z.int({ error }).min(1, { error }).max(limits.targetsMax, { error }),
  z.string({ error }).regex(/^(100|[1-9][0-9]?)%$/, { error }),
]);

/** The same, or as `{ max: … }`, which says which way it limits. */
export const cap = z.union([
  share,
  z.strictObject({ max: share }, { error }).transform(({ max }) => max),
]);

import { z } from 'zod';
import { limits } from './limits.ts';

export const operatorRole = z.enum(['viewer', 'operator', 'approver', 'admin']);
export type OperatorRole = z.infer<typeof operatorRole>;

/** A person, or a program of theirs, and the secret by which the api knows them (invariant 9). */
export type OperatorToken = {
  readonly name: string;
  readonly role: OperatorRole;
  readonly token: string;
};

/** Names that Fixpoint itself goes by in histories and in the audit log. */
const reserved: ReadonlySet<string> = new Set(['operator', 'fixpoint', 'temporal', 'gateway']);

const entry = z.strictObject({
  name: z
    .string()
    .max(limits.operatorNameMax)
    .regex(/^[a-z0-9][a-z0-9._@-]*$/, {
      error: 'a name must be of lower case letters, digits and . _ @ -',
    })
    .refine((name) => !reserved.has(name), { error: 'that name is Fixpoint’s own' }),
  role: z.enum(operatorRole.options, {
    error: 'a role must be viewer, operator, approver or admin',
  }),
  token: z
    .string()
    .regex(/^\S{16,}$/, { error: 'a token must have 16 or more characters, no space' }),
});

/**
 * Lines `name:role:token`; empty ones and those that begin with # do not count. A name may come again
 * with the same role, while its token is replaced. What is wrong is told by its line, never by the token.
 */
export const operatorTokens = z.string().transform((text, context): readonly OperatorToken[] => {
  const found: OperatorToken[] = [];
  const refuse = (line: number, message: string) =>
    context.addIssue({ code: 'custom', message: `line ${line}: ${message}` });
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const [name, role, ...rest] = line.trim().split(':');
    const parsed = entry.safeParse({ name, role, token: rest.join(':') });
    if (!parsed.success) {
      refuse(at + 1, `${parsed.error.issues[0]?.message}; write name:role:token`);
      continue;
    }
    const flaw = clashOf(parsed.data, found);
    if (flaw === null) found.push(parsed.data);
    else refuse(at + 1, flaw);
  }
  return found;
});

/** One name is one person with one role, and one token is one person. */
function clashOf(given: OperatorToken, known: readonly OperatorToken[]): string | null {
  if (known.some(({ name, role }) => name === given.name && role !== given.role)) {
    return `${given.name} has another role above`;
  }
  return known.some(({ token }) => token === given.token) ? 'that token stands above' : null;
}

import { errorPolicies, FixpointError } from '../domain/errors.ts';
import { createLog } from './log.ts';

/**
 * Runs a program's `main`. What stops it from starting is told once, with every flaw and its fix
 * and without a stack for errors that are an operator's to mend; then the process exits with the
 * error's status.
 */
export async function runProgram(program: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const log = createLog({ program, level: 'info' });
    if (error instanceof FixpointError) {
      log.error({ code: error.code, flaws: error.flaws, hint: error.hint }, error.message);
      process.exit(errorPolicies[error.code].exit);
    }
    log.error({ error }, 'the program cannot start');
    process.exit(1);
  }
}

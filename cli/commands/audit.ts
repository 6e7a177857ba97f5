import { join } from 'node:path';
import { Command } from 'commander';
import { FixpointError } from '../../domain/errors.ts';
import { type AuditRecord, readAudit, verifyAudit } from '../../platform/audit.ts';
import { findStateDir } from '../connection.ts';
import { exits } from '../outcome.ts';
import { printListing } from '../output.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import { type CliDeps, countOf, examples, outputOption } from '../session.ts';

/** `fixpoint audit …`: reads the log where it lies, so it needs no server and trusts none. */
export function auditCommand(deps: CliDeps): Command {
  const audit = new Command('audit').description('the chained log of decisions and repairs');
  audit
    .command('tail')
    .description('show the newest records')
    .option('-n, --lines <count>', 'how many, 1 to 1000', countOf, 20)
    .option('--dir <folder>', 'the audit folder, else audit/ in the state directory')
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint audit tail -n 5', 'fixpoint audit tail -o json'))
    .action(async (options) => {
      const records = (await readAudit(folderOf(deps, options.dir))).slice(-options.lines);
      printListing(deps.terminal, {
        format: options.output,
        rows: records.reverse().map(rowOf),
        header: ['AT', 'WHAT', 'STATE', 'BY', 'OBJECT'],
        cells: (row) => [
          row.at.slice(0, 19).concat('Z'),
          row.kind,
          row.state,
          row.actor,
          row.object,
        ],
        empty: 'the audit log is empty',
      });
    });
  audit
    .command('verify')
    .description('check every chain, offline; names the first bad record')
    .option('--dir <folder>', 'the audit folder, else audit/ in the state directory')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('fixpoint audit verify', 'fixpoint audit verify --dir backup/audit'),
    )
    .action(async (options) => {
      const verdict = await verifyAudit(folderOf(deps, options.dir));
      if (verdict.kind === 'broken') deps.setExit(exits.failed);
      if (options.output === 'json') return deps.terminal.out(`${plainJson(verdict)}\n`);
      if (verdict.kind === 'whole') {
        return deps.terminal.out(`whole: ${verdict.records} records in ${verdict.files} files\n`);
      }
      deps.terminal.err(
        `error: ${plainLine(`${verdict.file}:${verdict.line}: the record ${verdict.reason}`)}\n` +
          'hint: everything before that line is proven; compare the file with a backup\n',
      );
    });
  return audit;
}

/** Every listing has `id` and `state`: of a repair its end, of anything else that it was recorded. */
const rowOf = (record: AuditRecord) => ({
  id: record.hash,
  state: typeof record.detail['state'] === 'string' ? record.detail['state'] : 'recorded',
  ...record,
});

function folderOf(deps: CliDeps, given: string | undefined): string {
  if (given !== undefined) return given;
  const stateDir = findStateDir(deps);
  if (stateDir !== null) return join(stateDir, 'audit');
  throw new FixpointError('not_found', 'there is no state directory here or in a folder above', {
    hint: 'run this in the clone, or name the folder with --dir',
  });
}

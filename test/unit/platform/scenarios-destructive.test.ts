import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { flawLine } from '../../../platform/policy-files.ts';
import { aPolicyText, loadTexts } from '../../support/policy-set.ts';

type Cleaning = { readonly destructive: boolean; readonly undo: boolean; readonly soak: string };
const whole: Cleaning = { destructive: true, undo: true, soak: '10m' };

const cleaningOf = ({ destructive, undo, soak }: Cleaning) => `
apiVersion: fixpoint/v1
kind: Runbook
name: clean
destructive: ${destructive}
steps:
  - name: clean
    script: { inline: "rm -rf old-images" }
    contract: repeatable
${undo ? '    rollback: { script: { inline: "mv trash old-images" } }' : ''}
verify: { probe: { script: { inline: "true" } }, soak: ${soak} }
`;

/** What is refused of a policy that cleans up, or an empty text. */
async function refused(autonomy: string, of: Partial<Cleaning> = {}): Promise<string> {
  const policy = aPolicyText('cleaning', 'runbook: clean').replace('autonomy: auto', autonomy);
  const files = await loadTexts({
    policies: { 'p.yaml': policy },
    runbooks: { 'r.yaml': cleaningOf({ ...whole, ...of }) },
  });
  return files.kind === 'flawed' ? files.flaws.map(flawLine).join('\n') : '';
}

// A public incident, by its name (safety.md 2.1): with its guard, and without, where the harm may happen.
describe('S07 protect-list-and-undo', () => {
  it('what destroys is never done without people, a way back and a time in which harm shows', async () => {
    assert.match(await refused('autonomy: auto'), /autonomy: "auto" may not run "clean".*approve/);
    assert.match(
      await refused('autonomy: approve', { undo: false }),
      /destructive: needs a "rollback"/,
    );
    assert.match(
      await refused('autonomy: approve', { soak: '0s' }),
      /destructive: needs a "verify.soak"/,
    );
    assert.equal(await refused('autonomy: approve'), '');
    assert.equal(await refused('autonomy: observe'), '');
  });

  it('a runbook that does not say so destroys by itself, with no way back', async () => {
    assert.equal(
      await refused('autonomy: auto', { destructive: false, undo: false, soak: '0s' }),
      '',
    );
  });
});

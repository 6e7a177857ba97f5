import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBatchExpression } from '../../domain/batch-expression.ts';
import { planBatches } from '../../domain/batch-plan.ts';
import { fillTargets } from '../../domain/script-values.ts';
import { selectAgents } from '../../platform/agent-matchers.ts';
import { warningsOf } from '../../platform/policy-warnings.ts';
import { anEpisode, aScript, someTargets } from '../support/builders.ts';
import { aPolicyText, aRunbookText, loadTexts } from '../support/policy-set.ts';

// Scenarios of public incidents, by their names (safety.md 2.1). Each is told twice: with its guard,
// and without, where the harm must happen; else the test would prove nothing.
describe('scenarios of files', () => {
  const load = (policy: string, runbook = aRunbookText()) =>
    loadTexts({ policies: { 'p.yaml': policy }, runbooks: { 'r.yaml': runbook } });

  describe('S13 all-regions-same-window', () => {
    const regions = ['us', 'eu', 'ap'];
    const upgrade = (blastRadius: string) =>
      aPolicyText(
        'upgrade',
        'targets: { select: [service="web"], domainBy: [region] }',
        `guards: { blastRadius: "${blastRadius}" }`,
      );
    const runbook = (batches: string) =>
      [
        ...[aRunbookText(), `    rollout: { batches: "${batches}" }`],
        'verify: { probe: { script: { inline: "exit 0" } } }',
      ].join('\n');

    /** What the lint says, and how many regions the first batch touches. */
    async function reviewed(batches: string, blastRadius: string) {
      const files = await load(upgrade(blastRadius), runbook(batches));
      if (files.kind === 'flawed') throw new Error(JSON.stringify(files.flaws));
      const parsed = parseBatchExpression(batches);
      if (parsed.kind === 'wrong') throw new Error(parsed.fix);
      const hosts = Array.from({ length: 30 }, (_, at) => ({
        domains: [`region=${regions[at % regions.length]}`],
      }));
      const capOf = () => (blastRadius === '100%' ? hosts.length : 5);
      const plan = planBatches({ hosts, parts: parsed.parts, capOf });
      const [first = []] = plan.kind === 'planned' ? plan.batches : [];
      return {
        rules: warningsOf(files, 'policies').map(({ rule }) => rule),
        hosts: first.length,
        regions: new Set(first.map((at) => hosts[at]?.domains[0])).size,
      };
    }

    it('the same window for all regions is rejected by the lint', async () => {
      const { rules } = await reviewed('100%', '100%');

      assert.deepEqual(rules, ['all_domains_at_once']);
    });

    it('it would hit every host of all regions in its first batch; staged, it hits one', async () => {
      const harm = await reviewed('100%', '100%');
      const staged = await reviewed('1 10% +5 *2', '25%');

      assert.deepEqual([harm.hosts, harm.regions], [30, 3]);
      assert.deepEqual([staged.rules, staged.hosts, staged.regions], [[], 1, 1]);
    });
  });

  describe('S16 no-destructive-default', () => {
    const without = (key: string, text: string) =>
      text
        .split('\n')
        .filter((line) => !line.trim().startsWith(`${key}:`))
        .join('\n');

    it('a parameter that is left out is a flaw with its name, never a default', async () => {
      for (const key of ['targets', 'match', 'runbook']) {
        const files = await load(without(key, aPolicyText('web')));

        assert.equal(files.kind, 'flawed', key);
        const named =
          files.kind === 'flawed' && files.flaws.some(({ path }) => path.startsWith(key));
        assert.ok(named, key);
      }
      const noScript = await load(aPolicyText('web'), aRunbookText().replace(/ {4}script:.*/, ''));
      assert.equal(noScript.kind, 'flawed');
    });

    it('a selection that defaults to nothing would mean every host', () => {
      const fleet = ['web', 'db', 'mail'].map((service) => new Map([['service', service]]));

      assert.equal(fleet.filter((labels) => selectAgents([], labels)).length, fleet.length);
    });

    it('a value that the alert does not have is a refusal, not an empty text', () => {
      const script = aScript({ args: ['rm -rf /data/$' + '{labels.tenant}'] });
      const filled = fillTargets({ script, targets: someTargets(1), episodes: [anEpisode()] });

      assert.equal(filled.kind === 'refused' && filled.reason, 'missing_label');
    });

    it('filled in with an empty text it would remove everybody’s data', () => {
      const careless = 'rm -rf /data/$' + '{labels.tenant}';

      assert.equal(careless.replace(/\$\{[^}]*\}/, ''), 'rm -rf /data/');
    });
  });
});

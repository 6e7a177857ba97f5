import { describe } from 'node:test';
import { policySpec } from '../../contracts/policy.ts';
import { runbookSpec } from '../../contracts/runbook.ts';
import { schemaCases } from '../support/schema-cases.ts';

const aPolicy = {
  apiVersion: 'fixpoint/v1',
  kind: 'Policy',
  name: 'restart-web',
  match: { source: 'alertmanager', matchers: ['alertname="ServiceDown"'] },
  group: { by: ['service'], wait: '5s', max: 500 },
  targets: {
    from: { label: 'instance', strip: 'port', by: 'hostname' },
    onMissing: 'skip',
    domainBy: ['zone', 'rack'],
  },
  autonomy: 'auto',
  guards: {
    cooldown: '15m',
    maxRuns: { count: 3, window: '1h' },
    shield: [['env="lab"', 'tier="x"'], ['owner="nobody"']],
    maintenance: [{ cron: '0 2 * * 6', for: '4h', timeZone: 'Europe/Berlin' }],
    maxTargets: 500,
    blastRadius: '10%',
    floor: '80%',
    flap: { changes: 5, window: '30m' },
    confirmFor: '60s',
    massHosts: '10%',
  },
  runbook: 'restart-web',
  onResolved: 'continue',
  continue: true,
};
const asking = {
  ...aPolicy,
  autonomy: 'approve',
  approval: { approvers: 2, expires: '3d', notBy: ['anna'] },
};
const leastPolicy = {
  apiVersion: 'fixpoint/v1',
  kind: 'Policy',
  name: 'a',
  match: { source: 'alertmanager' },
  targets: { select: ['service="web"'] },
  runbook: 'a',
};
const aRunbook = {
  apiVersion: 'fixpoint/v1',
  kind: 'Runbook',
  name: 'restart-web',
  steps: [
    {
      name: 'restart',
      script: {
        interpreter: 'sh',
        file: 'restart.sh',
        args: ['${labels.service}'],
        env: { TOKEN: { secret: 'web-token' }, SERVICE: 'web' },
        stdin: 'alerts',
        cwd: '/srv',
      },
      timeout: '30s',
      contract: 'repeatable',
      retry: { attempts: 3, backoff: '10s', on: ['unknown', 'timed_out'] },
      rollout: {
        batches: '1 10% +5 *2',
        maxFailures: '5%',
        mode: 'pause',
        pauseBetween: '10s',
        soak: '30s',
      },
    },
  ],
  verify: { probe: { script: { inline: 'true' }, timeout: '5s' }, within: '5m' },
  rollback: [],
};
const leastRunbook = {
  apiVersion: 'fixpoint/v1',
  kind: 'Runbook',
  name: 'a',
  steps: [{ name: 'b', script: { inline: 'true' } }],
};

const probedRunbook = {
  ...leastRunbook,
  steps: [
    {
      name: 'restart',
      script: { inline: 'true', runAs: 'web' },
      contract: 'probe',
      probe: { script: { inline: 'test -e /done' } },
      retry: { attempts: 2, on: ['unknown'] },
      expectReboot: true,
    },
  ],
};

describe('policies and runbooks', () => {
  schemaCases('a policy', policySpec, {
    valid: [
      aPolicy,
      leastPolicy,
      asking,
      { ...leastPolicy, guards: { shield: ['env="lab"'], flap: 'off', massHosts: 'off' } },
    ],
    refused: [
      ['apiVersion', 'fixpoint/v2'],
      ['kind', 'Runbook'],
      ['name', 'Restart'],
      ['name', 'a:b'],
      ['name', 'a'.repeat(61)],
      ['match.source', 'grafana'],
      ['match.matchers.0', ''],
      ['group.wait', '5'],
      ['group.wait', '366d'],
      ['group.max', 0],
      ['group.max', 2_001],
      ['targets.from.by', 'name'],
      ['targets.from.strip', 'host'],
      ['targets.from', undefined],
      ['targets.select', ['service="web"']],
      ['targets.onMissing', 'ignore'],
      ['autonomy', 'manual'],
      // Only a policy that asks says whom.
      ['approval', { approvers: 2 }],
      ['guards.maxRuns.count', 0],
      ['guards.shield', []],
      ['guards.shield', [[]]],
      ['guards.shield', ['env="lab"', ['tier="x"']]],
      ['guards.shield.0', ['']],
      ['guards.maintenance.0.cron', undefined],
      ['guards.maintenance.0.for', '59s'],
      ['guards.maintenance.0.for', '8d'],
      ['guards.maintenance.0.timeZone', 'Mars/Base'],
      ['guards.maintenance.0.until', '06:00'],
      ['guards.blastRadius', { max: '0%' }],
      ['guards.blastRadius', { min: '10%' }],
      ['guards.blastRadius', 0],
      ['guards.blastRadius', '0%'],
      ['guards.floor', '101%'],
      ['guards.maxTargets', -1],
      ['targets.domainBy', []],
      ['guards.flap', 'on'],
      ['guards.flap.changes', 0],
      ['guards.flap.changes', 101],
      ['guards.flap.window', undefined],
      ['guards.confirmFor', '61m'],
      ['guards.massHosts', '0%'],
      ['guards.massHosts', 'on'],
      ['runbook', undefined],
      ['onResolved', 'stop'],
      ['continue', 'yes'],
      ['when', 'night'],
    ],
  });
  schemaCases('a policy that asks', policySpec, {
    valid: [asking, { ...leastPolicy, approval: {} }],
    refused: [
      ['approval.approvers', 0],
      ['approval.approvers', 6],
      ['approval.expires', '59s'],
      ['approval.expires', '31d'],
      ['approval.notBy', ['']],
      ['approval.by', ['anna']],
    ],
  });
  schemaCases('a runbook', runbookSpec, {
    valid: [aRunbook, leastRunbook, probedRunbook],
    refused: [
      ['steps', []],
      ['steps.0.name', 'verify'],
      ['steps.0.script.interpreter', 'perl'],
      ['steps.0.script.inline', 'true'],
      ['steps.0.script.file', undefined],
      ['steps.0.script.env.1X', 'a'],
      ['steps.0.script.env.TOKEN', { secret: '../etc' }],
      ['steps.0.script.stdin', 'labels'],
      ['steps.0.script.cwd', 'srv'],
      ['steps.0.script.runAs', '0'],
      ['steps.0.timeout', '50ms'],
      ['steps.0.timeout', '8d'],
      ['steps.0.contract', 'probe'],
      ['steps.0.contract', 'sometimes'],
      ['steps.0.probe', { script: { inline: 'true' } }],
      ['steps.0.expectReboot', 'yes'],
      // Unknown may have run: only a repeatable step is tried again (invariant 2).
      ['steps.0', { name: 'b', script: { inline: 'true' }, retry: { on: ['unknown'] } }],
      ['steps.0.retry.attempts', 11],
      ['steps.0.retry.on', ['refused']],
      ['steps.0.rollout.batches', 1.5],
      ['steps.0.rollout.mode', 'ignore'],
      ['steps.0.rollout.pauseBetween', 10],
      ['steps.0.rollout.maxFailures', '101%'],
      ['steps.0.rollout.maxFailures', -1],
      ['verify.probe.timeout', '2h'],
      ['verify.resolved', true],
      ['rollback', ['undo']],
    ],
  });
});

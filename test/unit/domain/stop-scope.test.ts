import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  allowCommand,
  policyOfTask,
  scopeText,
  stopOfHost,
  stopOfPolicy,
  stopRefusal,
  stopsOf,
  withoutStop,
  withStop,
} from '../../../domain/stop-scope.ts';

const by = { reason: 'worse', by: 'ada', at: 1_800_000_000_000 };
const policy = { ...by, scope: { policy: 'web' } };
const zone = { ...by, scope: { domain: 'zone=eu=1' } };
const labels = (of: Record<string, string>) => (name: string) => of[name];

describe('stops of a part', () => {
  it('a policy is stopped by its own stop or by that of everything, never by another one', () => {
    const everything = stopsOf({ revision: 1, stopped: true, ...by, stops: [policy] });

    assert.equal(stopOfPolicy([policy], 'web'), policy);
    assert.equal(stopOfPolicy([policy, zone], 'web2'), null);
    assert.equal(stopOfPolicy([policy], null), null);
    assert.equal(stopOfPolicy(everything, null)?.scope, null);
    assert.deepEqual(stopsOf({ revision: 1, stopped: false, ...by }), []);
  });

  it('a host is stopped by the whole value of its label, and a host without it is not', () => {
    assert.equal(stopOfHost([policy, zone], labels({ zone: 'eu=1' })), zone);
    assert.equal(stopOfHost([policy, zone], labels({ zone: 'eu' })), null);
    assert.equal(stopOfHost([policy, zone], labels({})), null);
    assert.equal(stopOfHost([{ ...by, scope: null }], labels({ zone: 'eu=1' })), null);
  });

  it('a stop that stands keeps its first owner, and only its own scope lifts it', () => {
    const again = withStop([policy], { ...policy, by: 'eve', reason: 'again' });

    assert.deepEqual(again, [policy]);
    assert.deepEqual(withoutStop([policy, zone], { policy: 'zone=eu=1' }), [policy, zone]);
    assert.deepEqual(withoutStop([policy, zone], { policy: 'web' }), [zone]);
  });

  it('the policy of a task is that of the repair in its key, and of other keys there is none', () => {
    const key = 'remediation:web:db~0badcafe:12345678-3';

    assert.equal(policyOfTask(key), 'web');
    assert.equal(policyOfTask(`${key}/restart/1/1`), 'web');
    for (const other of [
      'remediation:manual:web:01J00000000000000000000000',
      'my-own-key-1',
      `x${key}`,
      'remediation:web',
      'remediation:web/x:db~0badcafe:12345678-3',
    ]) {
      assert.equal(policyOfTask(other), null, other);
    }
  });

  it('a refusal says who stopped it and why, and how it is allowed again', () => {
    const { detail, untilMs } = stopRefusal(policy, by.at);

    assert.match(detail, /policy web is stopped by ada: worse, since 2027-01-15T08:00:00.000Z/);
    assert.match(detail, /fixpoint control allow --policy web/);
    assert.ok(untilMs > by.at);
    assert.deepEqual([scopeText(zone.scope), scopeText(null)], ['zone=eu=1', 'everything']);
    assert.match(allowCommand(zone.scope), /--domain zone=eu=1/);
  });
});

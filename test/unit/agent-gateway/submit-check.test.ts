import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { checkedSubmit, digestOfSubmit } from '../../../agent-gateway/submit-check.ts';
import { limits } from '../../../contracts/limits.ts';
import type { TaskSubmit } from '../../../contracts/task.ts';
import { FixpointError } from '../../../domain/errors.ts';
import { canonicalJson } from '../../../platform/canonical-json.ts';
import { sha256Hex } from '../../../platform/digest.ts';
import { aSubmit, someTargets } from '../../support/builders.ts';

const large = (): TaskSubmit => ({
  ...aSubmit({ callback: null }),
  targets: someTargets(10_000).map(({ agentId, journalId }) => ({ agentId, journalId })),
});
const check = (body: unknown) => checkedSubmit({ key: 'key-of-a-test', body }, []);
const fieldsOf = async (body: unknown): Promise<readonly string[]> => {
  const refusal: unknown = await check(body).then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(refusal instanceof FixpointError, 'it was not refused');
  return refusal.flaws.map(({ field }) => field);
};

describe('the check of a submit', () => {
  it('of 10,000 hosts lets others have their turn between its slices', async () => {
    const task = large();
    let isDone = false;
    const checking = check(JSON.parse(JSON.stringify(task)))
      .then((checked) => Promise.all([checked, digestOfSubmit(checked)]))
      .finally(() => {
        isDone = true;
      });

    let turns = 0;
    for (; !isDone; turns += 1) await setImmediate();
    const [checked] = await checking;

    assert.deepEqual(checked, task);
    const slices = Math.floor(task.targets.length / limits.sliceTargetsMax);
    assert.ok(turns >= 2 * slices, `${turns} turns for ${slices} slices, checked and digested`);
  });

  it('flaws behind the first slice are named by their places in the body', async () => {
    const { targets, ...head } = large();
    const flawed = targets.map((target, at) =>
      at === 5_000 ? { ...target, agentId: 'x' } : target,
    );
    const twice = [...targets, ...targets.slice(0, 1)];
    const tooMany = Array.from({ length: limits.targetsMax + 1 }, () => targets[0]);

    assert.deepEqual(await fieldsOf({ ...head, targets: flawed }), ['targets.5000.agentId']);
    assert.deepEqual(await fieldsOf({ ...head, targets: twice }), ['targets.10000.agentId']);
    assert.deepEqual(await fieldsOf({ ...head, targets: tooMany }), ['targets']);
    assert.deepEqual(await fieldsOf({ ...head, targets, slot: '' }), ['slot']);
    assert.deepEqual(await fieldsOf({ ...head, targets: {} }), ['targets']);
  });

  it('the digest is that of the canonical JSON, whoever signed it', async () => {
    const task = large();
    const signature = `${'A'.repeat(86)}==`;
    const signed = {
      ...{ ...task, keyId: 'another' },
      targets: task.targets.map((target) => ({ ...target, signature })),
    };

    const digest = await digestOfSubmit(task);

    assert.equal(digest, sha256Hex(canonicalJson(task)));
    assert.equal(await digestOfSubmit(signed), digest);
    assert.notEqual(await digestOfSubmit({ ...task, attempt: 2 }), digest);
  });
});

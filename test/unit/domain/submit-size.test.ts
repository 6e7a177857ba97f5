import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../contracts/limits.ts';
import { actionBytes, submitsOf, targetBytes } from '../../../domain/submit-size.ts';
import { aScript, aSubmit, someTargets } from '../../support/builders.ts';

const { action } = aScript();
const targetsOf = (count: number, text = '') =>
  someTargets(count).map(({ agentId, journalId }) => ({
    ...{ agentId, journalId },
    ...(text === '' ? {} : { stdin: { kind: 'text' as const, text } }),
  }));

describe('submit size', () => {
  it('is never less than the submit is as JSON, whatever its texts hold', () => {
    const targets = targetsOf(3, 'ä"\n\u{1f600}');
    const callback = { url: `https://${'a'.repeat(2_000)}.example`, reference: 'r'.repeat(1_000) };
    const task = aSubmit({ action, targets, callback });

    const bytes = targetBytes(targets).reduce((sum, each) => sum + each, actionBytes(action));

    assert.ok(bytes >= Buffer.byteLength(JSON.stringify({ key: 'k'.repeat(500), task })));
  });

  it('5,000 plain hosts are one submit, and one more is another', () => {
    assert.deepEqual(
      submitsOf({ action, targets: targetsOf(5_001) }).map(({ length }) => length),
      [5_000, 1],
    );
  });

  it('hosts with long values are cut where a submit is full, each in exactly one', () => {
    const targets = targetsOf(100, 'x'.repeat(100_000));

    const batches = submitsOf({ action, targets });

    assert.deepEqual(
      batches.flat(),
      targets.map((_, at) => at),
    );
    const bytes = targetBytes(targets);
    for (const batch of batches) {
      const sum = batch.reduce((so, at) => so + (bytes[at] ?? 0), actionBytes(action));
      assert.ok(sum <= limits.submitBytesMax, `${sum} bytes`);
    }
    assert.equal(batches.length, Math.ceil(100 / (batches[0]?.length ?? 0)));
  });

  it('a host that alone is too large is a submit of its own', () => {
    const targets = [...targetsOf(1), ...targetsOf(1, 'x'.repeat(2_000_000)), ...targetsOf(1)];

    assert.deepEqual(submitsOf({ action, targets }), [[0], [1], [2]]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayDo, rolesThatMay } from '../../../domain/permissions.ts';

describe('who may do what', () => {
  it('a viewer looks and plans, and changes nothing', () => {
    const acts = ['start', 'approve', 'reject', 'pause', 'cancel', 'stop', 'allow'] as const;

    assert.ok(mayDo('viewer', 'plan'));
    for (const act of acts) assert.ok(!mayDo('viewer', act), act);
  });

  it('whoever acts does not approve, and whoever approves does not act', () => {
    assert.deepEqual(rolesThatMay('approve'), ['approver', 'admin']);
    assert.deepEqual(rolesThatMay('start'), ['operator', 'admin']);
    assert.ok(!mayDo('approver', 'resume'));
    assert.ok(!mayDo('approver', 'allow'));
  });

  it('every role above a viewer may keep things from being done', () => {
    for (const act of ['reject', 'pause', 'cancel', 'stop'] as const) {
      assert.deepEqual(rolesThatMay(act), ['approver', 'operator', 'admin'], act);
    }
  });
});

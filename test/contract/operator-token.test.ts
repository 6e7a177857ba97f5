import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { operatorTokens } from '../../contracts/operator-token.ts';

const secret = 'a-token-of-anna-1';

describe('named operators', () => {
  it('a line each; a name may come twice while its token is replaced', () => {
    const text = `# people\nanna:approver:${secret}\n\nanna:approver:another-token-of-hers\nci@deploy:operator:with:colons:in-it-too\n`;

    assert.deepEqual(operatorTokens.parse(text), [
      { name: 'anna', role: 'approver', token: secret },
      { name: 'anna', role: 'approver', token: 'another-token-of-hers' },
      { name: 'ci@deploy', role: 'operator', token: 'with:colons:in-it-too' },
    ]);
  });

  it('each flaw is told by its line with the fix, and no token is ever shown', () => {
    const cases = {
      [`anna:boss:${secret}`]: /^line 1: a role must be viewer, operator, approver or admin/,
      'anna:viewer:short': /^line 1: a token must have 16 or more characters/,
      [`Anna Smith:viewer:${secret}`]: /^line 1: a name must be of lower case/,
      [`operator:viewer:${secret}`]: /^line 1: that name is Fixpoint’s own/,
      [`anna:viewer:${secret}\nanna:admin:${secret}2`]: /^line 2: anna has another role above/,
      [`anna:viewer:${secret}\nbob:admin:${secret}`]: /^line 2: that token stands above/,
      [secret]: /^line 1: .*write name:role:token/,
    };
    for (const [text, expected] of Object.entries(cases)) {
      const { error } = operatorTokens.safeParse(text);
      const message = error?.issues.map((issue) => issue.message).join('; ') ?? '';
      assert.match(message, expected, text);
      assert.ok(!message.includes(secret), message);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainJson, plainLine, plainText } from '../../../cli/plain-text.ts';

describe('text of a server on a terminal', () => {
  it('an escape sequence loses what makes it one, and newlines and tabs stay', () => {
    const text = plainText('a\u001b[2Jb\u009b31mc\u0007\r\n\td');

    assert.equal(text, 'a[2Jb31mc\n\td');
  });

  it('a bidirectional override is taken out', () => {
    assert.equal(plainText('rm \u202e\u2066x\u2069\u200f'), 'rm x');
  });

  it('a cell of a table stays on one line', () => {
    assert.equal(plainLine('one\r\ntwo\tthree'), 'one two three');
  });

  it('JSON keeps every value exact while nothing in it acts on the terminal', () => {
    const value = { label: 'a\u001b[2J\u009b\u202eü漢\u{1f600}' };

    const json = plainJson(value);

    assert.deepEqual(JSON.parse(json), value);
    assert.equal(plainText(json), json);
  });

  it('letters of other scripts and emoji stay', () => {
    assert.equal(plainText('主机 ağ 👩‍🚒'), '主机 ağ 👩‍🚒');
  });
});

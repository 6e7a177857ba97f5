import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failingMatcher, parseMatcher } from '../../../domain/matchers.ts';
import { compileExpression } from '../../../platform/regular-expression.ts';

const matcher = (text: string) => {
  const parsed = parseMatcher(text, compileExpression);
  assert.equal(parsed.kind, 'parsed', text);
  return parsed.kind === 'parsed' ? parsed.matcher : assert.fail();
};
const holds = (text: string, labels: Record<string, string>): boolean =>
  failingMatcher([matcher(text)], new Map(Object.entries(labels))) === null;
const flaw = (text: string): string => {
  const parsed = parseMatcher(text, compileExpression);
  return parsed.kind === 'flawed' ? parsed.reason : assert.fail(`${text} was taken`);
};

describe('matchers in Alertmanager’s syntax', () => {
  it('the four operators, with a missing label as empty text', () => {
    assert.ok(holds('a="x"', { a: 'x' }));
    assert.ok(!holds('a="x"', { a: 'xy' }));
    assert.ok(holds('a!="x"', {}));
    assert.ok(holds('a=""', {}));
    assert.ok(holds('a=~"x|y"', { a: 'y' }));
    assert.ok(holds('a!~"x|y"', { a: 'z' }));
    assert.ok(holds('a=~".*"', {}));
    assert.ok(!holds('a=~".+"', {}));
  });

  it('expressions are anchored at both ends, alternatives too', () => {
    assert.ok(!holds('a=~"x"', { a: 'axa' }));
    assert.ok(!holds('a=~"page|critical"', { a: 'pagers' }));
    assert.match(flaw('a=~"x)|(y"'), /no regular expression/);
  });

  it('names and values may be quoted, bare, UTF-8 and escaped', () => {
    assert.ok(holds(' a = x ', { a: 'x' }));
    assert.ok(holds('主机=web', { 主机: 'web' }));
    assert.ok(holds('"a b\\"c"="x y"', { 'a b"c': 'x y' }));
    assert.ok(holds('"__proto__"="p"', Object.fromEntries([['__proto__', 'p']])));
    assert.ok(holds('a="x\\ny"', { a: 'x\ny' }));
    assert.ok(holds('a=~"1\\.5"', { a: '1.5' }));
    assert.ok(!holds('a=~"1\\.5"', { a: '125' }));
  });

  it('what is no matcher is refused with the reason', () => {
    assert.match(flaw(''), /label name/);
    assert.match(flaw('a'), /needs =/);
    assert.match(flaw('a="x'), /closing quote/);
    assert.match(flaw('a="x",b="y"'), /one matcher each/);
    assert.match(flaw('a=x y'), /double quotes/);
    assert.match(flaw('""=x'), /empty/);
    assert.match(flaw('a=~"("'), /no regular expression/);
    assert.match(flaw('a=~"(?=x)"'), /no regular expression/);
  });

  it('a pattern that would take a backtracking engine for ever is quick', () => {
    const started = performance.now();
    assert.ok(!holds('a=~"(a*)*b"', { a: 'a'.repeat(10_000) }));
    assert.ok(performance.now() - started < 1_000);
  });
});

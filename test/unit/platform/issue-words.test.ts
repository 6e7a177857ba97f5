import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aPolicyText, aRunbookText, loadTexts } from '../../support/policy-set.ts';

type Case = readonly [written: string, key: string, said: string];

const inPolicy: readonly Case[] = [
  [
    'guards: { cooldown: 900 }',
    'guards.cooldown',
    '900 is not a duration; write a number and a unit, such as 10s, 5m, 2h or 1d',
  ],
  [
    'guards: { cooldown: }',
    'guards.cooldown',
    'no duration is written; write a number and a unit, such as 10s, 5m, 2h or 1d',
  ],
  [
    'guards: { breaker: { failures: 0, window: 1h, openFor: 1h } }',
    'guards.breaker.failures',
    '0 is too small: at least 1',
  ],
  ['guards: { flap: 5 }', 'guards.flap', 'must be { changes, window } or off'],
  [
    'guards: { shield: "env=lab" }',
    'guards.shield',
    'must be a list of matchers, or a list of such lists',
  ],
  [
    'autonomy: Auto',
    'autonomy',
    '"Auto" is not known; write observe, approve, auto; did you mean "auto"?',
  ],
  ['description: 5', 'description', 'unknown key'],
];
const inStep: readonly Case[] = [
  ['timeout: 0s', 'steps.0.timeout', 'must be from 100ms to 7d'],
  ['timeout: 30d', 'steps.0.timeout', 'must be from 100ms to 7d'],
  ['timeout: 30', 'steps.0.timeout', '30 is not a duration'],
  ['contract: repeat', 'steps.0.contract', '"repeat" is not known; write repeatable, once, probe'],
  ['retry: { attempts: many }', 'steps.0.retry.attempts', '"many" must be a number'],
];

const flawsOf = async (policy: string, runbook: string) => {
  const files = await loadTexts({
    policies: { 'p.yaml': policy },
    runbooks: { 'r.yaml': runbook },
  });
  return files.kind === 'flawed' ? files.flaws : [];
};

describe('what is said of a value that cannot be', () => {
  const says = async ([written, key, said]: Case, policy: string, runbook: string) => {
    const flaws = await flawsOf(policy, runbook);
    const told = flaws.map(({ path, message }) => `${path}: ${message}`);
    assert.ok(
      told.some((line) => line.startsWith(`${key}: `) && line.includes(said)),
      `${written} says ${told.join(' | ')}`,
    );
  };

  for (const each of inPolicy) {
    it(`in a policy, ${each[0]}: names ${each[1]}, and what may be written`, () =>
      says(each, aPolicyText('web', each[0]), aRunbookText()));
  }
  for (const each of inStep) {
    it(`in a step, ${each[0]}: names ${each[1]}, and what may be written`, () =>
      says(each, aPolicyText('web'), `${aRunbookText()}\n    ${each[0]}`));
  }
});

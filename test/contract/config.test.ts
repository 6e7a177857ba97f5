import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clocksSchema, guardsSchema, type SettingName, settings } from '../../contracts/config.ts';
import { duration } from '../../contracts/duration.ts';
import { defaultClocks } from '../../contracts/limits.ts';

/** A value that is taken and those that are refused; text, as the environment gives it. */
const cases: Partial<Record<SettingName, { good: string[]; bad: string[] }>> = {
  apiListen: { good: ['127.0.0.1:8450', '[::1]:0'], bad: ['8450', 'localhost', 'a b:1', ''] },
  agentListen: { good: ['0.0.0.0:8451'], bad: [':8451'] },
  gatewayListen: { good: ['localhost:8452'], bad: ['localhost:http'] },
  metricsListen: { good: ['127.0.0.1:8460'], bad: ['x'] },
  temporalMetricsListen: { good: ['127.0.0.1:8465'], bad: ['x'] },
  role: { good: ['workflows', 'activities', 'dispatcher'], bad: ['worker', ''] },
  logLevel: { good: ['debug'], bad: ['loud'] },
  operatorToken: { good: ['t'.repeat(16)], bad: ['short'] },
  operatorTokens: {
    good: ['', `anna:admin:${'t'.repeat(16)}`],
    bad: ['anna:admin', `anna:boss:${'t'.repeat(16)}`],
  },
  approvalsFromTemporal: { good: ['true', 'false'], bad: ['', 'no'] },
  gatewayToken: { good: ['t'.repeat(16)], bad: ['short'] },
  webhookSecret: { good: [`${'t'.repeat(16)},${'u'.repeat(16)}`], bad: ['short'] },
  escalationSecret: { good: ['whsec_abc'], bad: ['abc'] },
  temporalUiUrl: { good: ['http://127.0.0.1:8233'], bad: ['here'] },
  callbackSecret: { good: ['whsec_abc'], bad: ['abc'] },
  gatewayId: { good: ['g-1'], bad: ['x'.repeat(129)] },
  gatewayUrl: { good: ['https://gateway.example:8452'], bad: ['gateway'] },
  callbackUrl: { good: ['https://api.example/v1/callbacks/tasks'], bad: ['api'] },
  egressAllow: { good: ['a, b,'], bad: [] },
  intakeReplicas: { good: ['0', '2'], bad: ['-1', '11', 'two', '1.5'] },
  intakeEntriesMax: { good: ['500000'], bad: ['many', '-5'] },
};

describe('configuration', () => {
  for (const [name, { good, bad }] of Object.entries(cases)) {
    it(`${name} takes what it should and refuses the rest`, () => {
      const { schema } = settings[name as SettingName]; // The table's own keys.
      for (const text of good) assert.ok(schema.safeParse(text).success, text);
      for (const text of bad) assert.ok(!schema.safeParse(text).success, text);
    });
  }

  it('every setting that has a default takes it', () => {
    for (const [name, { schema }] of Object.entries(settings)) {
      assert.ok(schema.safeParse(undefined).success, name);
    }
  });

  it('durations have one number and one unit', () => {
    const taken = { '250ms': 250, '10s': 10_000, '5m': 300_000, '2h': 7_200_000, '365d': 31_536e6 };
    for (const [text, ms] of Object.entries(taken)) assert.equal(duration.parse(text), ms);
    for (const text of ['', '10', 's', '1.5s', '-1s', '10 s', '1h30m', '366d', '1w', 10]) {
      assert.ok(!duration.safeParse(text).success, String(text));
    }
  });

  it('the blast radius of all policies is a number or a percentage, and no other guard is known', () => {
    assert.deepEqual(guardsSchema.parse({}), {});
    for (const [given, taken] of [
      [5, 5],
      ['10%', '10%'],
      [{ max: '10%' }, '10%'],
    ] as const) {
      assert.deepEqual(guardsSchema.parse({ blastRadius: given }), { blastRadius: taken });
    }
    for (const given of [{ blastRadius: 0 }, { blastRadius: '200%' }, { floor: 3 }]) {
      assert.ok(!guardsSchema.safeParse(given).success, JSON.stringify(given));
    }
  });

  it('clocks that are not named keep their default; unknown ones are refused', () => {
    assert.deepEqual(clocksSchema.parse({}), defaultClocks);
    assert.deepEqual(clocksSchema.parse({ notAfter: '20s' }), {
      ...defaultClocks,
      notAfterMs: 20_000,
    });
    for (const given of [{ notAfterMs: '20s' }, { notAfter: 20 }, { lunch: '1h' }]) {
      assert.ok(!clocksSchema.safeParse(given).success, JSON.stringify(given));
    }
  });
});

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fastify } from 'fastify';
import { parse } from 'yaml';
import { policySchemas, schemaFile } from '../../../tools/policy-schemas.ts';
import { aPolicyText, aRunbookText } from '../../support/policy-set.ts';

type Name = keyof typeof policySchemas;
/** Asks the validator that fastify brings along, which is the one that editors use too. */
async function accepts(name: Name, ...texts: readonly string[]): Promise<boolean[]> {
  const strict = { removeAdditional: false, useDefaults: false, coerceTypes: false } as const;
  const server = fastify({ ajv: { customOptions: strict } });
  const body = JSON.parse(policySchemas[name]());
  server.post('/', { schema: { body } }, async () => 'accepted');
  const statuses: boolean[] = [];
  for (const text of texts) {
    const answer = await server.inject({ method: 'POST', url: '/', body: parse(text) });
    assert.ok([200, 400].includes(answer.statusCode), answer.body);
    statuses.push(answer.statusCode === 200);
  }
  await server.close();
  return statuses;
}
const clone = new URL('../../../', import.meta.url);
const shipped = (folder: string): string[] =>
  readdirSync(new URL(folder, clone))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(new URL(`${folder}/${name}`, clone), 'utf8'));

describe('docs/schemas', () => {
  it('are what the contracts say; else run: node tools/policy-schemas.ts', () => {
    for (const [name, text] of Object.entries(policySchemas)) {
      assert.equal(readFileSync(schemaFile(name), 'utf8'), text(), name);
    }
  });

  it('accept every policy and runbook that is shipped', async () => {
    const policies = await accepts('policy.schema.json', ...shipped('policies'));
    const runbooks = await accepts('runbook.schema.json', ...shipped('runbooks'));

    assert.ok(policies.length > 0 && runbooks.length > 0);
    assert.ok([...policies, ...runbooks].every((one) => one));
  });

  it('refuse unknown keys, durations without a unit, and hosts found in two ways or none', async () => {
    const from = 'from: { label: instance, by: hostname }';
    const select = `select: ['service="web"']`;
    const lines = [
      'guards: { cooldown: 5m }',
      `targets: { ${select} }`,
      'gaurds: { cooldown: 5m }',
      'guards: { cooldown: "5" }',
      `targets: { ${from}, ${select} }`,
      'targets: {}',
    ];

    const found = await accepts(
      'policy.schema.json',
      ...lines.map((line) => aPolicyText('p', line)),
    );

    assert.deepEqual(found, [true, true, false, false, false, false]);
  });

  it('refuse a step whose script has no text', async () => {
    const text = aRunbookText();

    const found = await accepts(
      'runbook.schema.json',
      text,
      text.replace('inline: "exit 0"', 'args: [a]'),
    );

    assert.deepEqual(found, [true, false]);
  });

  it('tell the defaults of durations as they are written', () => {
    const policy = JSON.parse(policySchemas['policy.schema.json']());
    const runbook = JSON.parse(policySchemas['runbook.schema.json']());

    const step = runbook.properties.steps.items.properties;
    assert.equal(step.timeout.default, '1m');
    assert.equal(step.rollout.properties.soak.default, '0s');
    assert.equal(policy.properties.guards.properties.cooldown.default, '15m');
  });
});

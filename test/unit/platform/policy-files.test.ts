import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { defaultClocks } from '../../../contracts/limits.ts';
import { flawLine, loadPolicyFiles } from '../../../platform/policy-files.ts';
import { aPolicyText, aRunbookText, loadTexts } from '../../support/policy-set.ts';

const flawsOf = async (
  policy: string,
  runbook = aRunbookText(),
): Promise<readonly { line: number; column: number; path: string; message: string }[]> => {
  const files = await loadTexts({
    policies: { 'p.yaml': policy },
    runbooks: { 'r.yaml': runbook },
  });
  return files.kind === 'flawed' ? files.flaws : [];
};
const textsOf = async (policy: string, runbook?: string): Promise<string> =>
  (await flawsOf(policy, runbook)).map(({ path, message }) => `${path}: ${message}`).join('\n');

describe('policies and runbooks from files', () => {
  it('are loaded in file order with everything a repair freezes', async () => {
    const files = await loadTexts({
      policies: {
        'b.yaml': aPolicyText('second'),
        'a.yml': `${aPolicyText('first')}\n---\n${aPolicyText('also-first')}`,
        'notes.txt': 'not read',
      },
      runbooks: { 'r.yaml': aRunbookText() },
    });

    assert.ok(files.kind === 'loaded');
    const { policies, runbooks } = files.set;
    assert.deepEqual(
      policies.map(({ name }) => name),
      ['first', 'also-first', 'second'],
    );
    assert.equal(policies[0]?.settings.cooldownMs, 900_000);
    assert.deepEqual(policies[0].settings.damping, {
      confirmForMs: 60_000,
      flap: { changes: 5, windowMs: 1_800_000 },
    });
    assert.match(policies[0].frozen.digest, /^sha256:[0-9a-f]{64}$/);
    const step = runbooks.get('restart-web')?.steps[0];
    assert.equal(step?.script.action.content, 'exit 0');
    assert.match(step.script.digest, /^sha256:[0-9a-f]{64}$/);
    assert.equal(step.timeoutMs, 60_000);
  });

  it('freeze the user, the probe and the reboot of a step', async () => {
    const text = aRunbookText().replace(
      /^ {2}- name: \S+$/m,
      (line) =>
        `${line}\n    contract: probe\n    expectReboot: true\n    probe: { script: { inline: 'test -e /x', runAs: web } }`,
    );
    const files = await loadTexts({
      policies: { 'p.yaml': aPolicyText('web') },
      runbooks: { 'r.yaml': text },
    });

    assert.ok(files.kind === 'loaded', JSON.stringify(files));
    const step = files.set.runbooks.get('restart-web')?.steps[0];
    assert.equal(step?.contract, 'probe');
    assert.equal(step.expectReboot, true);
    assert.equal(step.probe?.timeoutMs, 10_000);
    assert.equal(step.probe.script.action.runAs, 'web');
  });

  it('freeze how a step is rolled out, and what its policy may touch, with the labels of all policies', async () => {
    const rollout = 'rollout: { batches: 1 10% +5, mode: continue, pauseBetween: 5s, soak: 10s }';
    const files = await loadTexts({
      policies: {
        'a.yaml': [
          aPolicyText(
            'racks',
            'targets: { select: [service="web"], domainBy: [zone, rack] }',
            'guards: { blastRadius: { max: 10% }, floor: 3, maxTargets: 50% }',
          ),
          aPolicyText('zones'),
        ].join('\n---\n'),
      },
      runbooks: { 'r.yaml': `${aRunbookText()}\n    ${rollout}` },
    });

    assert.ok(files.kind === 'loaded', JSON.stringify(files));
    assert.deepEqual(files.set.runbooks.get('restart-web')?.steps[0]?.rollout, {
      expression: '1 10% +5',
      maxFailures: 0,
      mode: 'continue',
      pauseBetweenMs: 5_000,
      soakMs: 10_000,
    });
    assert.deepEqual(
      files.set.policies.map(({ frozen }) => frozen.guards),
      [
        {
          ...{ domainBy: ['zone', 'rack'], countedBy: [['zone']] },
          ...{ blastRadius: '10%', floor: 3, maxTargets: '50%' },
        },
        { domainBy: ['zone'], countedBy: [['zone', 'rack']] },
      ],
    );
  });

  it('a batch expression that cannot be read names its part and the fix', async () => {
    const withBatches = (batches: string) =>
      textsOf(aPolicyText('web'), `${aRunbookText()}\n    rollout: { batches: ${batches} }`);

    assert.equal(
      await withBatches('"1 10 % +5"'),
      'steps.0.rollout.batches: part 3, "%": must be N, N%, +N or *N with a whole number, as in "1 10% +5 *2"',
    );
    assert.match(await withBatches('0'), /part 1, "0": must be at least 1/);
    assert.match(await withBatches('"1  5"'), /part 2, "": write at least one part/);
    assert.equal(await withBatches('20'), '');
  });

  it('a share that is none is told with the fix, once', async () => {
    assert.equal(
      await textsOf(aPolicyText('web', 'guards: { blastRadius: 0%, floor: "many" }')),
      ['blastRadius', 'floor']
        .map(
          (key) =>
            `guards.${key}: must be a number of hosts from 1, or a percentage from "1%" to "100%"`,
        )
        .join('\n'),
    );
  });

  it('every flaw has its place and, for a near miss, what was meant', async () => {
    const flaws = await flawsOf(
      aPolicyText('web', 'gaurds: { cooldown: 1m }', 'runbook: restart-wbe', 'continue: maybe'),
    );

    const at = (path: string) => flaws.find((flaw) => flaw.path === path);
    assert.match(at('gaurds')?.message ?? '', /unknown key "gaurds"; did you mean "guards"/);
    assert.deepEqual([at('gaurds')?.line, at('gaurds')?.column], [8, 1]);
    assert.match(at('continue')?.message ?? '', /must be true or false/);
    assert.equal(at('continue')?.line, 10);
    const [runbook] = await flawsOf(aPolicyText('web', 'runbook: restart-wbe'));
    assert.match(runbook?.message ?? '', /no runbook "restart-wbe"; did you mean "restart-web"/);
    assert.match(
      flawLine({ file: 'p.yaml', line: 1, column: 2, path: 'a', message: 'b' }),
      /^p.yaml:1:2: a: b$/,
    );
  });

  it('a nested unknown key is compared with the keys that are known there', async () => {
    const text = await textsOf(
      aPolicyText('web', 'guards: { coldown: 1m, maxRuns: { cuont: 1, window: 1h } }'),
    );
    assert.match(text, /guards.coldown: unknown key "coldown"; did you mean "cooldown"/);
    assert.match(text, /guards.maxRuns.cuont: unknown key "cuont"; did you mean "count"/);
  });

  it('what this version does not have is refused by name', async () => {
    const refused = await textsOf(
      aPolicyText('web', 'when: x', 'notify: { url: x }', 'match: { source: gse }'),
    );
    for (const path of ['when', 'notify', 'match.source']) {
      assert.match(refused, new RegExp(`^${path}: .*not supported in this version`, 'm'));
    }
    assert.equal(refused.split('\n').length, 3);
    const runbook = `${aRunbookText()}\nrollback: [{ x: 1 }]`;
    assert.match(
      await textsOf(aPolicyText('web'), runbook),
      /^rollback.*write "rollback" at the step that it undoes/m,
    );
  });

  it('a policy that does not say asks one person for a day; one that acts by itself asks nobody', async () => {
    const approvalOf = async (...lines: readonly string[]) => {
      const text = aPolicyText('web', 'autonomy: auto', ...lines);
      const files = await loadTexts({
        policies: { 'p.yaml': lines.length === 0 ? text : text.replace('autonomy: auto\n', '') },
        runbooks: { 'r.yaml': aRunbookText() },
      });
      assert.ok(files.kind === 'loaded', JSON.stringify(files));
      const { autonomy, approval } = files.set.policies[0]?.frozen ?? {};
      return { autonomy, approval };
    };

    assert.deepEqual(await approvalOf(), { autonomy: 'auto', approval: undefined });
    assert.deepEqual(await approvalOf('onResolved: drop'), {
      autonomy: 'approve',
      approval: { approvers: 1, expiresMs: 86_400_000 },
    });
    assert.deepEqual(await approvalOf('approval: { approvers: 2, expires: 3d, notBy: [ada] }'), {
      autonomy: 'approve',
      approval: { approvers: 2, expiresMs: 259_200_000, notBy: ['ada'] },
    });
    assert.match(
      await textsOf(aPolicyText('web', 'approval: { approvers: 2 }')),
      /^approval: needs autonomy: approve/,
    );
  });

  it('a shield is one list of matchers, or several; a window of maintenance has its time zone', async () => {
    const guards = (text: string) => aPolicyText('web', `guards: { ${text} }`);
    const of = async (text: string) => {
      const files = await loadTexts({
        policies: { 'p.yaml': guards(text) },
        runbooks: { 'r.yaml': aRunbookText() },
      });
      assert.ok(files.kind === 'loaded', JSON.stringify(files));
      const [policy] = files.set.policies;
      return {
        shield: policy?.shield.map((entry) => entry.map(({ text: matcher }) => matcher)),
        windows: policy?.maintenance.map(({ text: window }) => window),
      };
    };

    assert.deepEqual(await of('cooldown: 1m'), { shield: [], windows: [] });
    assert.deepEqual((await of(`shield: ['a="1"', 'b="2"']`)).shield, [['a="1"', 'b="2"']]);
    assert.deepEqual((await of(`shield: [['a="1"'], ['b="2"']]`)).shield, [['a="1"'], ['b="2"']]);
    assert.deepEqual(
      (
        await of(
          `maintenance: [{ cron: "0 2 * * 6", for: 4h }, { cron: "0 5 * * *", for: 90m, timeZone: Asia/Tokyo }]`,
        )
      ).windows,
      ['"0 2 * * 6" UTC for 4h', '"0 5 * * *" Asia/Tokyo for 90m'],
    );
    const flaws = await textsOf(
      guards(
        `shield: [['a="1"'], ['b=']], maintenance: [{ cron: "0 2 * * 6", for: 4h }, { cron: "0 25 * * *", for: 4h }]`,
      ).replace("'b='", "'=b'"),
    );
    assert.match(flaws, /^guards.shield.1.0: must begin with a label name/m);
    assert.match(flaws, /^guards.maintenance.1.cron: "0 25 \* \* \*" is no cron expression/m);
  });

  it('a matcher, template or duration that is wrong is named', async () => {
    const text = await textsOf(
      aPolicyText(
        'web',
        `match: { source: alertmanager, matchers: ['a=~"("'] }`,
        'group: { by: [a], wait: 5 }',
      ),
      aRunbookText().replace(
        'inline: "exit 0"',
        'inline: "x", args: ["${label.a}", "${labels.b}", "$HOME", "${annotations.c}", "${host.}"]',
      ),
    );
    assert.match(text, /steps.0.script.args.0: "\$\{label.a\}" is not known/);
    assert.match(text, /group.wait:/);
    assert.match(
      text,
      /steps.0.script.args.4: "\$\{host.\}" is not known; .*\$\{annotations.<name>\}/,
    );
    assert.ok(!text.includes('labels.b') && !text.includes('annotations.c'));
    assert.match(
      await textsOf(aPolicyText('web', `match: { source: alertmanager, matchers: ['a=~"("'] }`)),
      /match.matchers.0: .*no regular expression/,
    );
  });

  it('names are unique, syntax errors have their line, and alias bombs do not unfold', async () => {
    const twice = await textsOf(`${aPolicyText('web')}\n---\n${aPolicyText('web')}`);
    assert.match(twice, /name: a policy "web" is already in .*p.yaml:3/);
    const [syntax] = await flawsOf('a: [1\nb: 2');
    assert.equal(syntax?.line, 2);
    const bomb = Array.from({ length: 10 }, (_, at) =>
      at === 0
        ? 'a0: &a0 [x, x]'
        : `a${at}: &a${at} [${Array(10)
            .fill(`*a${at - 1}`)
            .join(', ')}]`,
    ).join('\n');
    const started = performance.now();
    assert.match(await textsOf(bomb), /alias/i);
    assert.ok(performance.now() - started < 2_000);
  });

  it('a script file lies in the folder of its runbook, links included', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fixpoint-runbooks-'));
    const [policyDir, runbookDir] = [join(root, 'policies'), join(root, 'runbooks')];
    await mkdir(policyDir);
    await mkdir(runbookDir);
    await writeFile(join(root, 'secret.sh'), 'echo secret');
    await writeFile(join(runbookDir, 'good.sh'), 'echo good');
    await symlink(join(root, 'secret.sh'), join(runbookDir, 'link.sh'));
    const load = async (file: string) => {
      const text = aRunbookText().replace('inline: "exit 0"', `file: ${file}`);
      await writeFile(join(runbookDir, 'r.yaml'), text);
      return loadPolicyFiles({ policyDir, runbookDir, clocks: defaultClocks });
    };

    const good = await load('good.sh');
    for (const file of ['../secret.sh', 'link.sh', 'none.sh', '.']) {
      const files = await load(file);
      assert.equal(files.kind, 'flawed', file);
    }
    await rm(root, { recursive: true });

    assert.ok(good.kind === 'loaded');
    assert.equal(
      good.set.runbooks.get('restart-web')?.steps[0]?.script.action.content,
      'echo good',
    );
  });
});

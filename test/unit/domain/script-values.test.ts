import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fillTargets } from '../../../domain/script-values.ts';
import { anEpisode, aScript, someTargets } from '../../support/builders.ts';

const hostile = '$(touch pwned) `x` "quoted" \'single\'\n$& ${labels.other} 主机 🙂';

describe('alert values in scripts', () => {
  it('land as data in one argument or variable, whatever they hold', () => {
    const filled = fillTargets({
      script: aScript({
        args: ['--service=${labels.service}', 'plain'],
        env: { NAME: '${labels.service}' },
      }),
      targets: someTargets(1),
      episodes: [anEpisode({ labels: [['service', hostile]] })],
    });

    assert.equal(filled.kind, 'filled');
    const target = filled.kind === 'filled' ? filled.targets[0] : undefined;
    assert.deepEqual(target?.args, [`--service=${hostile}`, 'plain']);
    assert.deepEqual(target?.env, { NAME: hostile });
  });

  it('a script without placeholders has the same values for every host', () => {
    const filled = fillTargets({
      script: aScript({ args: ['x'] }),
      targets: someTargets(2),
      episodes: [anEpisode()],
    });

    assert.ok(filled.kind === 'filled' && filled.targets.every(({ args }) => args === undefined));
  });

  it('a label that is missing, or that the host’s alerts disagree on, is a refusal', () => {
    const script = aScript({ args: ['${labels.service}'] });
    const [target] = someTargets(1);
    const two = [
      anEpisode({ labels: [['service', 'a']] }),
      anEpisode({ labels: [['service', 'b']] }),
    ];
    const of = (episodes: typeof two) =>
      fillTargets({
        script,
        targets: target === undefined ? [] : [{ ...target, episodes: episodes.map((_, at) => at) }],
        episodes,
      });

    const ambiguous = of(two);
    const missing = of([anEpisode({ labels: [] })]);

    assert.equal(ambiguous.kind === 'refused' && ambiguous.reason, 'ambiguous_label');
    assert.equal(missing.kind === 'refused' && missing.reason, 'missing_label');
  });

  it('stdin: alerts is JSON with labels as pairs, __proto__ included', () => {
    const filled = fillTargets({
      script: { ...aScript(), alertsOnStdin: true },
      targets: someTargets(1),
      episodes: [anEpisode({ labels: [['__proto__', hostile]] })],
    });

    const stdin = filled.kind === 'filled' ? filled.targets[0]?.stdin : undefined;
    assert.equal(stdin?.kind, 'text');
    const [alert] = JSON.parse(stdin?.kind === 'text' ? stdin.text : '[]');
    assert.deepEqual(alert.labels, [['__proto__', hostile]]);
  });

  it('annotations and values of the host land as labels do, each by its own name', () => {
    const filled = fillTargets({
      script: aScript({
        args: ['${labels.x}|${annotations.x}|${host.x}'],
        env: { NAME: '${host.hostname}' },
      }),
      targets: someTargets(2).map((target, at) => ({
        ...target,
        host: { x: `own ${hostile}`, hostname: `web${at}` },
      })),
      episodes: [anEpisode({ labels: [['x', 'label']], annotations: [['x', 'note']] })],
    });

    const targets = filled.kind === 'filled' ? filled.targets : [];
    assert.deepEqual(
      targets.map(({ args, env }) => [args, env]),
      ['web0', 'web1'].map((name) => [[`label|note|own ${hostile}`], { NAME: name }]),
    );
  });

  it('an annotation or a label of the host that is not there refuses, and names which', () => {
    const refusal = (text: string, host?: Record<string, string>) => {
      const targets = someTargets(1).map((target) => ({
        ...target,
        ...(host === undefined ? {} : { host }),
      }));
      const script = aScript({ args: [text] });
      const filled = fillTargets({ script, targets, episodes: [anEpisode()] });
      return filled.kind === 'refused' ? `${filled.reason}: ${filled.detail}` : 'filled';
    };

    assert.match(
      refusal('${annotations.runbook}'),
      /^missing_label: no alert has annotation "runbook"/,
    );
    assert.match(
      refusal('${host.rack}', { zone: 'a' }),
      /^missing_label: host .* has no label "rack"/,
    );
    assert.match(refusal('${host.constructor}', {}), /has no label "constructor"/);
    assert.match(refusal('${host.rack}'), /^missing_label/);
  });
});

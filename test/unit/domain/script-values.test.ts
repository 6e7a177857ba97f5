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
});

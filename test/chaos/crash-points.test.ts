import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha256Hex } from '../../platform/digest.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

// Every start of the script leaves a line on its host: the evidence that the engine's own books
// are compared with. A start that was never recorded is found, and so is one that was repeated.
const runbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: evidence
steps:
  - name: act
    script:
      interpreter: sh
      inline: |
        echo "$1 $FIXPOINT_JOB_ID" >> "$DEMO_DIR/starts"
        for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done
        echo done
      args: ["\${labels.case}"]
    timeout: 10s
    contract: repeatable
    retry: { attempts: 3, backoff: 500ms, on: [unreachable, unknown] }
verify:
  probe: { script: { interpreter: sh, inline: 'grep -q "^$1 " "$DEMO_DIR/starts"', args: ["\${labels.case}"] }, timeout: 5s }
  within: 30s
`;
const policy = `
apiVersion: fixpoint/v1
kind: Policy
name: evidence
match: { source: alertmanager, matchers: ['alertname="Chaos"'] }
group: { by: [case], wait: 0s }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1m } }
runbook: evidence
`;

/** Which part dies where. Each is killed by SIGKILL just after the boundary, once. */
const deaths = [
  { program: 'api', point: 'after-append' },
  { program: 'dispatcher', point: 'after-signal' },
  { program: 'workflows', point: 'after-start' },
  { program: 'activities', point: 'after-submit' },
  { program: 'gateway', point: 'after-submit' },
  { program: 'gateway', point: 'before-callback' },
  { program: 'agent', point: 'after-intent' },
  { program: 'agent', point: 'while-running' },
  { program: 'agent', point: 'before-result' },
] as const;

/** Killed from outside while the script runs. */
const bystanders = ['api', 'dispatcher', 'workflows', 'activities', 'gateway'] as const;

describe('whatever dies, a script starts once and the repair ends by itself', () => {
  let product: RunningProduct;
  before(async () => {
    product = await startProduct({
      policies: { 'evidence.yaml': policy },
      runbooks: { 'evidence.yaml': runbook },
    });
  });
  after(async () => {
    await product?.stop();
  });

  const startsOf = (name: string): string[] => {
    const file = join(product.demoFolder('agent-2'), 'starts');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${name} `));
  };

  /** Sends as Alertmanager does: again until it hears 200. */
  const send = (name: string) =>
    eventually(
      async () => {
        const labels = { alertname: 'Chaos', instance: 'agent-2:1', case: name };
        const answer = await product.webhook(
          aBody([anEntry({ labels, fingerprint: sha256Hex(name).slice(0, 16) })]),
        );
        assert.equal(answer.status, 200);
      },
      { withinMs: 30_000, everyMs: 200 },
    );

  const endOf = async (name: string) => {
    const row = await product.ended(({ group }) => group.startsWith(`${name}~`), 90_000);
    assert.equal(row.state, 'verified', JSON.stringify(await product.progress(row.id)));
    assert.equal(startsOf(name).length, 1, startsOf(name).join('\n'));
  };

  for (const { program, point } of deaths) {
    it(`${program} dies ${point}: one start, and the repair is verified`, async () => {
      const name = `${program}-${point}`;
      product.arm(program, point);

      await send(name);
      await endOf(name);

      assert.ok(
        existsSync(join(product.crashFolder, `${name.replace('-', '.')}.died`)),
        'nobody died',
      );
    });
  }

  for (const program of bystanders) {
    it(`${program} is killed while the script runs: one start, and the repair is verified`, async () => {
      const name = `${program}-killed`;

      await send(name);
      await eventually(() => assert.equal(startsOf(name).length, 1), { withinMs: 30_000 });
      process.kill(product.pidOf(program), 'SIGKILL');

      await endOf(name);
    });
  }
});

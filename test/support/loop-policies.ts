import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const clone = fileURLToPath(new URL('../../', import.meta.url));

const dataRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: data
steps:
  - name: write
    script:
      interpreter: sh
      inline: 'printf "%s" "$1" > "$DEMO_DIR/argument"; printf "%s" "$NOTE" > "$DEMO_DIR/variable"; cat > "$DEMO_DIR/stdin"; pwd > "$DEMO_DIR/where"'
      args: ["\${labels.note}"]
      env: { NOTE: "\${labels.note}" }
      stdin: alerts
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'test -s "$DEMO_DIR/stdin"' } }, within: 20s }
`;
const secretRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: secret
steps:
  - name: use
    script:
      interpreter: sh
      inline: 'read -r line; echo "env $TOKEN stdin $line"; [ "$TOKEN" = "$line" ] && echo used > "$DEMO_DIR/secret-used"'
      env: { TOKEN: { secret: canary } }
      stdin: { secret: canary }
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'test -s "$DEMO_DIR/secret-used"' } }, within: 20s }
`;
const waitRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: wait
steps:
  - name: wait
    script:
      interpreter: sh
      inline: 'echo here >> "$DEMO_DIR/waiting-$1"; while [ ! -e "$DEMO_DIR/go-$1" ]; do sleep 0.1; done'
      args: ["\${labels.case}"]
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'exit 0' } }, within: 20s }
`;
const policyFor = (name: string, alertname: string) => `
apiVersion: fixpoint/v1
kind: Policy
name: ${name}
match: { source: alertmanager, matchers: ['alertname="${alertname}"'] }
group: { by: [instance, case], wait: 200ms }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1s }, blastRadius: "100%" }
runbook: ${name}
`;

const shipped = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(clone, folder)).map((name) => [
      name,
      readFileSync(join(clone, folder, name), 'utf8'),
    ]),
  );

/** The shipped policies, and one for each runbook below. */
export const loopPolicies = (): Record<string, string> => ({
  ...shipped('policies'),
  'data.yaml': policyFor('data', 'Data'),
  'secret.yaml': policyFor('secret', 'Secret'),
  'wait.yaml': policyFor('wait', 'Wait'),
});

/** The shipped runbooks; one that writes alert values down, one that uses a secret, one that waits. */
export const loopRunbooks = (): Record<string, string> => ({
  ...shipped('runbooks'),
  'data.yaml': dataRunbook,
  'secret.yaml': secretRunbook,
  'wait.yaml': waitRunbook,
});

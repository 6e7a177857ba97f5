import { evidenceLine } from '../checker/host-records.ts';

/**
 * Repairs whose every start, also of a probe, leaves a line on its host. They try on for longer than
 * the gateway and one agent can be killed in turn.
 */
export const evidenceRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: evidence
steps:
  - name: act
    script:
      interpreter: sh
      inline: |
        ${evidenceLine('act')}
        sleep "$2"
        echo done
      args: ["\${labels.case}", "\${labels.seconds}"]
    timeout: 30s
    contract: repeatable
    retry: { attempts: 8, backoff: 500ms, on: [unreachable, unknown] }
verify:
  probe:
    script:
      interpreter: sh
      inline: |
        ${evidenceLine('probe')}
        grep -q "^act $1 " "$DEMO_DIR/starts"
      args: ["\${labels.case}"]
    timeout: 5s
  within: 150s
`;

export const evidencePolicy = `
apiVersion: fixpoint/v1
kind: Policy
name: evidence
match: { source: alertmanager, matchers: ['alertname="Chaos"'] }
group: { by: [case], wait: 0s }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1m }, breaker: off, blastRadius: "100%" }
runbook: evidence
`;

/** Queueing is short enough that a job can run out of it, and a poll comes, while it runs. */
export const evidenceClocks = {
  ...{ notAfter: '6s', submitTry: '3s' },
  // Dozens of repairs take turns on three hosts.
  ...{ admitRetry: '200ms', admitTimeout: '30m' },
};

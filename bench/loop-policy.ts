import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of the measured policy, its alerts and its step. */
export const loopPolicy = { alertname: 'BenchLoop', step: 'mark' } as const;

/** Where the measured policy and runbook are, and where its jobs leave their marks. */
export type LoopFolders = {
  readonly policies: string;
  readonly runbooks: string;
  /** One file per alert, named by its label `case`; each start appends its time in nanoseconds. */
  readonly starts: string;
};

/** Writes a policy that acts at once, and a runbook whose only step writes down when it started. */
export function writeLoopPolicy(folder: string): LoopFolders {
  const folders = {
    policies: join(folder, 'policies'),
    runbooks: join(folder, 'runbooks'),
    starts: join(folder, 'starts'),
  };
  for (const path of Object.values(folders)) mkdirSync(path, { recursive: true });
  writeFileSync(join(folders.policies, 'bench-loop.yaml'), policyText);
  writeFileSync(join(folders.runbooks, 'bench-loop.yaml'), runbookText(folders.starts));
  return folders;
}

const policyText = `apiVersion: fixpoint/v1
kind: Policy
name: bench-loop
match:
  source: alertmanager
  matchers: ['alertname="${loopPolicy.alertname}"']
group:
  by: [case]
  wait: 0s
targets:
  from: { label: instance, strip: port, by: hostname }
autonomy: auto
guards:
  # Every host at once: what is measured is the product, not its guards.
  blastRadius: "100%"
runbook: bench-loop
`;

const runbookText = (starts: string): string => `apiVersion: fixpoint/v1
kind: Runbook
name: bench-loop
steps:
  - name: ${loopPolicy.step}
    script:
      inline: 'date +%s%N >>"$1"'
      args: ['${starts}/\${labels.case}']
    timeout: 30s
verify:
  probe:
    script:
      inline: 'test -s "$1"'
      args: ['${starts}/\${labels.case}']
    timeout: 10s
  within: 1m
`;

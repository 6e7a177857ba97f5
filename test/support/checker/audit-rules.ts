import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from './repair-histories.ts';

type Line = {
  readonly seq: number;
  readonly kind: string;
  readonly object: string;
  readonly detail: { readonly state?: string };
  readonly previous: string;
  readonly hash: string;
};

/**
 * What the audit log must show: each writer's chain whole, and of every ended repair at least one
 * record with the state it ended in. Evidence may repeat after a crash, and never lack.
 */
export function auditViolations(folder: string, runs: readonly Run[]): string[] {
  const lines = new Map<string, Line[]>();
  const violations: string[] = [];
  for (const file of readdirSync(folder).sort()) {
    const writer = file.replace(/-\d{4}-\d{2}-\d{2}\.jsonl$/, '');
    const written = lines.get(writer) ?? [];
    lines.set(writer, written);
    const texts = readFileSync(join(folder, file), 'utf8').split('\n');
    for (const text of texts.filter((each) => each !== '')) {
      const flaw = flawOf(text, written.at(-1));
      if (flaw !== null) violations.push(`the audit log ${file} ${flaw}: ${text.slice(0, 80)}`);
      else written.push(JSON.parse(text) as Line); // Its hash proves its shape.
    }
  }
  const ended = [...lines.values()].flat().filter(({ kind }) => kind === 'remediation.ended');
  return [
    ...violations,
    ...runs
      .filter(({ type, status }) => type === 'remediation' && status === 'COMPLETED')
      .flatMap(({ workflowId, result }) => {
        const { state } = result as { state: string };
        const records = ended.filter(({ object }) => object === workflowId);
        return records.some(({ detail }) => detail.state === state)
          ? []
          : [`the audit log does not say that ${workflowId} ended ${state}`];
      }),
  ];
}

function flawOf(text: string, before: Line | undefined): string | null {
  try {
    const { hash, ...body } = JSON.parse(text) as Line;
    if (body.previous !== (before?.hash ?? '0'.repeat(64))) return 'is broken before';
    const right = createHash('sha256')
      .update(body.previous + JSON.stringify(body))
      .digest('hex');
    return hash === right ? null : 'was changed at';
  } catch {
    return 'has a line that is no record';
  }
}

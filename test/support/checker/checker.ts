import type { Client } from '@temporalio/client';
import { auditViolations } from './audit-rules.ts';
import { type HostRecords, readHost } from './host-records.ts';
import { hostViolations } from './host-rules.ts';
import { type IntakeRecords, intakeViolations } from './intake-rules.ts';
import { type Run, readRuns } from './repair-histories.ts';
import { repairViolations } from './repair-rules.ts';

/** Where the evidence lies. Everything older than `sinceMs` (Unix) is left out of the judgement. */
export type EvidencePlaces = {
  readonly hosts: readonly {
    readonly name: string;
    readonly agentId: string;
    readonly evidenceFile: string;
    readonly journalFolder: string;
  }[];
  readonly temporal: Client;
  readonly auditFolder: string;
  readonly intake: IntakeRecords;
  readonly sinceMs: number;
};

/**
 * Judges a product at rest, from what cannot be talked into agreeing: the lines that scripts wrote
 * on their hosts, the agents' journals on disk, Temporal's histories, the audit log and the api's
 * counters. It shares nothing with the code it judges but how ids are derived. Answers violations
 * in words, none if all is well. Rejects only if evidence cannot be read.
 */
export async function check(places: EvidencePlaces): Promise<string[]> {
  const hosts = places.hosts.map((host) => readHost({ ...host, sinceMs: places.sinceMs }));
  const runs = await readRuns(places.temporal, places.sinceMs);
  return [
    ...violationsOf({ hosts, runs, intake: places.intake }),
    ...auditViolations(places.auditFolder, runs),
  ];
}

/** The same, of evidence that was read already and without the audit log. */
export function violationsOf(of: {
  readonly hosts: readonly HostRecords[];
  readonly runs: readonly Run[];
  readonly intake: IntakeRecords;
}): string[] {
  return [
    ...of.hosts.flatMap(hostViolations),
    ...repairViolations(of.runs, of.hosts),
    ...intakeViolations(of.intake, of.runs, of.hosts),
  ];
}

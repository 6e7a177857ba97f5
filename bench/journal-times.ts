import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeRecords } from '../agent/journal-record.ts';

/** When an agent wrote what it did about a job; Unix milliseconds of the host, whole ones. */
export type JobTimes = { readonly intent: number; readonly started: number };

/** What all local agents' journals say, by task: the bench's tasks have one job each. */
export function journalTimes(agentsFolder: string): ReadonlyMap<string, JobTimes> {
  const intents = new Map<string, number>();
  const times = new Map<string, JobTimes>();
  for (const agentId of readdirSync(agentsFolder)) {
    const journal = join(agentsFolder, agentId, 'journal');
    for (const name of readdirSync(journal).sort()) {
      for (const { at, body } of decodeRecords(readFileSync(join(journal, name))).records) {
        const taskId = body.jobId.slice(0, body.jobId.indexOf('.'));
        if (body.kind === 'intent') intents.set(taskId, at);
        const intent = intents.get(taskId);
        if (body.kind === 'started' && intent !== undefined) {
          times.set(taskId, { intent, started: at });
        }
      }
    }
  }
  return times;
}

import type { HostRecords } from './host-records.ts';
import type { JournalFrame } from './journal-frames.ts';

/**
 * What a host's evidence and its agent's journal must agree on (invariant 2, rule X4): one start of
 * an attempt at most, never before its intent, and never two attempts of one slot at a time.
 */
export function hostViolations(host: HostRecords): string[] {
  return [
    ...repeatedStarts(host),
    ...startsWithoutIntent(host),
    ...brokenOrder(host),
    ...overlappingAttempts(host),
  ];
}

function repeatedStarts({ name, starts }: HostRecords): string[] {
  const counts = Map.groupBy(starts, ({ jobId }) => jobId);
  return [...counts].flatMap(([jobId, each]) =>
    each.length < 2
      ? []
      : [`${name} started job ${jobId} of ${each[0]?.case} ${each.length} times`],
  );
}

function startsWithoutIntent({ name, starts, journal }: HostRecords): string[] {
  const intents = new Map(
    journal.flatMap(({ kind, jobId, at }) => (kind === 'intent' ? [[jobId, at]] : [])),
  );
  return starts.flatMap(({ jobId, at, ...start }) => {
    const intended = intents.get(jobId);
    if (intended === undefined) {
      return [`${name} started job ${jobId} of ${start.case}, and its journal has no intent`];
    }
    const lateMs = intended - at;
    if (lateMs <= 0) return [];
    return [`${name} started job ${jobId} of ${start.case} ${lateMs} ms before its intent`];
  });
}

const order = ['intent', 'started', 'finished', 'stored'];

function brokenOrder({ name, journal }: HostRecords): string[] {
  const violations: string[] = [];
  for (const [at, frame] of journal.entries()) {
    if (at > 0 && frame.seq <= (journal[at - 1]?.seq ?? 0)) {
      violations.push(`${name}’s journal has number ${frame.seq} twice`);
    }
  }
  for (const [jobId, frames] of Map.groupBy(journal, (frame) => frame.jobId)) {
    const kinds = frames.map(({ kind }) => kind).filter((kind) => order.includes(kind));
    const sorted = [...kinds].sort((left, right) => order.indexOf(left) - order.indexOf(right));
    if (kinds.join() !== sorted.join() || new Set(kinds).size !== kinds.length) {
      violations.push(`${name}’s journal says of job ${jobId}: ${kinds.join(', ')}`);
    }
  }
  return violations;
}

/** An attempt is over once the journal has its outcome; before that no other one may be intended. */
function overlappingAttempts({ name, journal }: HostRecords): string[] {
  const open = new Map<string, string>();
  const slots = new Map<string, string>();
  return journal.flatMap((frame: JournalFrame) => {
    if (frame.kind === 'finished') open.delete(slots.get(frame.jobId) ?? '');
    if (frame.kind !== 'intent' || frame.slot === null) return [];
    slots.set(frame.jobId, frame.slot);
    const other = open.get(frame.slot);
    open.set(frame.slot, frame.jobId);
    if (other === undefined || other === frame.jobId) return [];
    return [`${name} took up job ${frame.jobId} while ${other} of the same slot was open`];
  });
}

import { type AgentFrame, agentFrame } from '../contracts/frames.ts';
import { type JobReport, jobIdForm, jobState } from '../contracts/task.ts';

type Unknown = Readonly<Record<string, unknown>>;

const states: ReadonlySet<unknown> = new Set(jobState.options);
const reportFields = 9;
const [reasonMax, signalMax, noteMax] = [64, 16, 500];

/**
 * The frame in an agent's text, or null if it is none. The schemas of `contracts/frames.ts` are the
 * contract; the frames that ten thousand agents send at once are recognised here first, at a tenth
 * of the price. What is not recognised is left to the schema, so that this can only agree with it.
 */
export function readAgentFrame(text: string): AgentFrame | null {
  try {
    const value: unknown = JSON.parse(text);
    return knownFrame(value) ?? agentFrame.parse(value);
  } catch {
    return null; // The session ends with `bad_frame`; its content is of no further use.
  }
}

/** A ping, ack or result in its plain form; null stands for "ask the schema". Exported for its test. */
export function knownFrame(value: unknown): AgentFrame | null {
  if (!isObject(value)) return null;
  const { type, jobId: job, state, report } = value as Unknown;
  if (type === 'ping') return knownPing(value as Unknown);
  if (typeof job !== 'string' || !jobIdForm.test(job)) return null;
  if (type === 'ack') {
    return state === 'acked' || state === 'running' ? { type, jobId: job, state } : null;
  }
  const known = type === 'result' ? knownReport(report) : null;
  return known === null ? null : { type: 'result', jobId: job, report: known };
}

function knownPing(value: Unknown): AgentFrame | null {
  // Rare: only of a host whose clock is off.
  if (Object.hasOwn(value, 'clockOffsetMs')) return null;
  const { id, sequence } = value;
  if (!Number.isSafeInteger(id)) return null;
  if (!Object.hasOwn(value, 'sequence')) return { type: 'ping', id: id as number };
  const isPlain = Number.isSafeInteger(sequence) && (sequence as number) >= 0;
  return isPlain ? { type: 'ping', id: id as number, sequence: sequence as number } : null;
}

/** In the schema's order, as rows in Redis have it; a field that is not known here asks the schema. */
function knownReport(value: unknown): JobReport | null {
  if (!isObject(value) || Object.keys(value).length !== reportFields) return null;
  const report = value as Unknown & JobReport; // Every field is looked at before it is believed.
  const { state, reason, exitCode, signal, startedAt, finishedAt } = report;
  const { stdoutBytes, stderrBytes, note } = report;
  const isPlain =
    states.has(state) &&
    isText(reason, reasonMax) &&
    isText(signal, signalMax) &&
    isText(note, noteMax) &&
    isCount(exitCode) &&
    isCount(startedAt) &&
    isCount(finishedAt) &&
    Number.isSafeInteger(stdoutBytes) &&
    Number.isSafeInteger(stderrBytes);
  if (!isPlain) return null;
  return {
    ...{ state, reason, exitCode, signal, startedAt, finishedAt },
    ...{ stdoutBytes, stderrBytes, note },
  };
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, max: number): boolean =>
  value === null || (typeof value === 'string' && value.length <= max);
const isCount = (value: unknown): boolean => value === null || Number.isSafeInteger(value);

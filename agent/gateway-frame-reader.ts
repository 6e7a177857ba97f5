import { type GatewayFrame, gatewayFrame } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import { jobIdForm, signatureForm } from '../contracts/task.ts';

type Unknown = Readonly<Record<string, unknown>>;

/**
 * The frame in a gateway's text, or null if it is none. The schemas of `contracts/frames.ts` are the
 * contract; the frames that come all the time are recognised here first. What is not recognised is
 * left to the schema, so that this can only agree with it.
 */
export function readGatewayFrame(text: string): GatewayFrame | null {
  try {
    const value: unknown = JSON.parse(text);
    return knownFrame(value) ?? gatewayFrame.parse(value);
  } catch {
    return null; // The session ends with `bad frame`; its content is of no further use.
  }
}

/** A pong, dispatch or stored in its plain form; null stands for "ask the schema". Exported for its test. */
export function knownFrame(value: unknown): GatewayFrame | null {
  if (!isObject(value)) return null;
  const frame = value as Unknown;
  if (frame['type'] === 'pong') return knownPong(frame);
  const { type, jobId } = frame;
  if (!isJobId(jobId)) return null;
  if (type === 'stored') return { type, jobId };
  return type === 'dispatch' ? knownDispatch(frame, jobId) : null;
}

function knownPong({ id, gatewayTime, lease, stopped, ...rest }: Unknown): GatewayFrame | null {
  const isPlain =
    isWhole(id) &&
    isWhole(gatewayTime) &&
    typeof lease === 'boolean' &&
    typeof stopped === 'boolean';
  if (!isPlain) return null;
  if (!Object.hasOwn(rest, 'stored')) return { type: 'pong', id, gatewayTime, lease, stopped };
  if (!Array.isArray(rest['stored'])) return null;
  // A copy has no holes, which `every` would pass over.
  const stored: unknown[] = [...rest['stored']];
  if (stored.length > limits.storedTellingMax || !stored.every(isJobId)) return null;
  return { type: 'pong', id, gatewayTime, lease, stopped, stored };
}

function knownDispatch(frame: Unknown, jobId: string): GatewayFrame | null {
  const { job, content, have, signature } = frame;
  if (!isText(job, limits.frameBytes) || !isText(content, limits.scriptBytes)) return null;
  if (!isObject(have)) return null;
  const { stdout, stderr } = have as Unknown;
  if (!isWhole(stdout) || !isWhole(stderr) || stdout < 0 || stderr < 0) return null;
  const order = { type: 'dispatch', jobId, job } as const;
  const rest = { content, have: { stdout, stderr } };
  if (!Object.hasOwn(frame, 'signature')) return { ...order, ...rest };
  const isSigned = typeof signature === 'string' && signatureForm.test(signature);
  return isSigned ? { ...order, signature, ...rest } : null;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isJobId = (value: unknown): value is string =>
  typeof value === 'string' && jobIdForm.test(value);
const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length <= max;
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

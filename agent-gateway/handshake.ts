import type { WebSocket } from 'ws';
import { hello, protocolVersions } from '../contracts/frames.ts';
import type { Clock } from '../platform/clock.ts';
import type { ByeReason } from './session.ts';

export type Hello = ReturnType<typeof hello.parse>;

/** How an opening link ended. `closed`: the peer was gone, or silent for too long. */
export type Opening =
  | { readonly kind: 'opened'; readonly hello: Hello }
  | { readonly kind: 'refused'; readonly reason: ByeReason; readonly hello: Hello | null }
  | { readonly kind: 'closed' };

const helloWithinMs = 5_000;

/**
 * Awaits the first frame of a link and judges it. `agentId` is what the certificate says; an id in
 * the frame that differs is refused (invariant 9). Reading is paused when it resolves, so that no
 * frame is lost before the session listens. Never rejects.
 */
export async function openLink(
  socket: WebSocket,
  of: {
    readonly agentId: string;
    /** The journal that the register names for the agent; undefined if it is not enrolled. */
    readonly journalIdOf: (agentId: string) => Promise<string | undefined>;
    readonly isLocked: (agentId: string) => boolean;
    readonly clock: Clock;
  },
): Promise<Opening> {
  const text = await firstText(socket, of.clock);
  if (text === null) return { kind: 'closed' };
  const frame = helloOf(text);
  if (frame === null) return { kind: 'refused', reason: 'bad_hello', hello: null };
  const journalId = await of.journalIdOf(of.agentId);
  const isLocked = of.isLocked(of.agentId);
  const reason = refusalOf(frame, { agentId: of.agentId, journalId, isLocked });
  return reason === null
    ? { kind: 'opened', hello: frame }
    : { kind: 'refused', reason, hello: frame };
}

function firstText(socket: WebSocket, clock: Clock): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = clock.after(helloWithinMs, () => {
      socket.terminate();
      settle(null);
    });
    const settle = (text: string | null) => {
      timer.cancel();
      socket.off('message', onMessage);
      socket.off('close', onClose);
      resolve(text);
    };
    const onMessage = (data: Buffer, isBinary: boolean) => {
      socket.pause();
      settle(isBinary ? '' : data.toString('utf8'));
    };
    const onClose = () => settle(null);
    socket.once('message', onMessage);
    socket.once('close', onClose);
  });
}

function helloOf(text: string): Hello | null {
  try {
    return hello.parse(JSON.parse(text));
  } catch {
    return null; // What it was instead is of no interest: the first frame is a hello or nothing.
  }
}

function refusalOf(
  frame: Hello,
  of: {
    readonly agentId: string;
    readonly journalId: string | undefined;
    readonly isLocked: boolean;
  },
): ByeReason | null {
  if (frame.agentId !== of.agentId) return 'wrong_agent';
  if (!protocolVersions.includes(frame.protocol)) return 'unsupported_protocol';
  if (of.journalId === undefined) return 'not_enrolled';
  if (of.isLocked) return 'locked';
  return frame.journalId === of.journalId ? null : 'wrong_journal';
}

import { FixpointError } from '../domain/errors.ts';
import type { Client } from './client.ts';
import { plainText } from './plain-text.ts';
import { type CliDeps, selfOf } from './session.ts';

type Which = {
  readonly taskId: string;
  readonly agentId: string;
  readonly stream: 'stdout' | 'stderr';
};

type Piece = {
  readonly bytes: Uint8Array;
  /** Where they begin; behind what was asked for if something could not be had. */
  readonly offset: number;
  readonly total: number;
  readonly finished: boolean;
  readonly cut: boolean;
};

/** Bytes of one output read: two answers of a host, which come well within the client's time. */
const readBytes = 512 * 1024;
const lookMs = 500;

/**
 * Prints what a job wrote: the very bytes to a pipe, harmless text to a terminal. What the gateway
 * does not keep and the host cannot be asked for is left out, and said on the error output; so is
 * output that was cut. With `follow` it goes on until the job has ended.
 */
export async function printOutput(
  deps: CliDeps,
  gateway: Client,
  of: Which & { readonly follow: boolean },
): Promise<void> {
  const { terminal } = deps;
  const decoder = new TextDecoder();
  for (let offset = 0, isWaiting = false; ; ) {
    const piece = await nextPiece(gateway, of, offset).catch((error: unknown) => {
      if (of.follow && isPassing(error)) return null;
      throw error;
    });
    if (piece === null) {
      if (!isWaiting) terminal.err('the agent does not answer; waiting for it\n');
      isWaiting = true;
      await deps.clock.sleep(lookMs, deps.interrupted);
      continue;
    }
    isWaiting = false;
    if (piece.offset > offset) tellGap(deps, of, { from: offset, to: piece.offset });
    offset = piece.offset + piece.bytes.length;
    if (!terminal.isTty) terminal.outBytes(piece.bytes);
    else terminal.out(plainText(decoder.decode(piece.bytes, { stream: !piece.finished })));
    if (piece.finished && piece.cut) {
      terminal.err(`cut: the job wrote more than it may; after byte ${piece.total} it is gone\n`);
    }
    if (piece.finished) return;
    if (piece.bytes.length > 0) continue;
    if (!of.follow) {
      const { stream, taskId, agentId } = of;
      const option = stream === 'stderr' ? ' --stderr' : '';
      const again = `${selfOf(deps)} task output ${taskId} ${agentId}${option} --follow`;
      return terminal.err(`the job goes on: ${again}\n`);
    }
    await deps.clock.sleep(lookMs, deps.interrupted);
  }
}

async function nextPiece(
  gateway: Client,
  of: Which & { readonly follow: boolean },
  offset: number,
): Promise<Piece> {
  // Who follows would rather wait for the agent than miss something.
  const gap = of.follow ? 'refuse' : 'skip';
  const query = `stream=${of.stream}&offset=${offset}&limit=${readBytes}&gap=${gap}`;
  const { bytes, headers } = await gateway.bytes(
    `/v1/tasks/${of.taskId}/jobs/${of.agentId}/output?${query}`,
  );
  const told = (name: string) => headers.get(`fixpoint-output-${name}`);
  return {
    bytes,
    offset: Number(told('offset') ?? offset),
    total: Number(told('total') ?? offset + bytes.length),
    // A gateway that says nothing of it says so by giving nothing.
    finished: told('finished') === null ? bytes.length === 0 : told('finished') === 'true',
    cut: told('cut') === 'true',
  };
}

function tellGap(deps: CliDeps, of: Which, gap: { readonly from: number; readonly to: number }) {
  deps.terminal.err(
    `\ngap: bytes ${gap.from} to ${gap.to} of ${of.stream} are on the host, which cannot be asked now\n`,
  );
}

const isPassing = (error: unknown): boolean =>
  error instanceof FixpointError &&
  ['agent_offline', 'deadline_exceeded', 'limit_exceeded'].includes(error.code);

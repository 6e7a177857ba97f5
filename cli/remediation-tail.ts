import { deliveryView, pageOf } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Progress } from './answers.ts';
import { exitOf, exits, isEnded } from './outcome.ts';
import { coloured, type OutputFormat } from './output.ts';
import { changesBetween, pictureOf } from './picture.ts';
import { plainJsonLine, plainLine } from './plain-text.ts';
import { findNewest, newestRemediation, remediationOf } from './remediation-lookup.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

/** Between two looks: short enough to see a batch go by, and a look costs one query. */
const lookEveryMs = 500;

type Tail = {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly id: string;
  readonly waitMs: number;
  readonly timeoutMs: number | undefined;
  readonly format: OutputFormat;
};

/**
 * Follows one repair to its end. On a terminal the picture is redrawn in place; elsewhere each
 * change is a line, for machines one JSON object. Sets the exit status by the outcome; Ctrl-C leaves the repair running.
 */
export async function tailRemediation(tail: Tail): Promise<void> {
  const { deps } = tail;
  const id = tail.id === 'last' ? await lastOf(tail) : tail.id;
  try {
    const progress = await follow(tail, id);
    if (tail.format === 'table') {
      deps.terminal.err(`see more: ${selfOf(deps)} remediation show '${plainLine(id)}'\n`);
    }
    deps.setExit(exitOf(progress));
  } catch (error) {
    if (!deps.interrupted.aborted) throw error;
    deps.terminal.err(
      `${plainLine(`interrupted; the remediation goes on: ${selfOf(deps)} remediation tail '${id}'`)}\n`,
    );
    deps.setExit(exits.interrupted);
  }
}

async function follow(tail: Tail, id: string): Promise<Progress> {
  const { deps, servers, timeoutMs } = tail;
  const until = timeoutMs === undefined ? null : deps.clock.monotonic() + timeoutMs;
  const screen = screenOf(tail, id);
  for (;;) {
    const { progress } = await remediationOf(servers.api, id);
    screen.show(progress);
    if (isEnded(progress.state)) return progress;
    if (until !== null && deps.clock.monotonic() >= until) throw tooLong(deps, id);
    await deps.clock.sleep(lookEveryMs, deps.interrupted);
  }
}

function screenOf({ deps, format }: Tail, id: string): { show(progress: Progress): void } {
  if (format === 'json') return new JsonLines(deps, id);
  return deps.terminal.isTty ? new Redrawn(deps) : new Lines(deps, id);
}

/**
 * The repair that "last" means. An alert that a person has just sent becomes one a moment later, so
 * while an alert is newer than the newest repair, and that has ended, the next one is waited for.
 */
async function lastOf({ deps, servers, waitMs }: Tail): Promise<string> {
  const until = deps.clock.monotonic() + waitMs;
  for (;;) {
    const newest = await findNewest(servers.api);
    if (newest !== null && !isEnded(newest.state)) return newest.id;
    const isNewest = newest !== null && !(await hasNewerAlert(servers, newest.startedAt));
    if (isNewest) return newest.id;
    if (deps.clock.monotonic() >= until) {
      const { id } = newest ?? (await newestRemediation(servers.api));
      const why = `${selfOf(deps)} alert why last`;
      deps.terminal.err(`note: no repair of the newest alert has begun; ask: ${why}\n`);
      return id;
    }
    await deps.clock.sleep(lookEveryMs, deps.interrupted);
  }
}

/** Whether a mailbox was handed a firing alert that came in after `startedAt`. */
async function hasNewerAlert({ api }: Servers, startedAt: string): Promise<boolean> {
  const { items } = await api.get('/v1/alerts?limit=20', pageOf(deliveryView));
  return items.some(
    ({ status, receivedAt, outcomes }) =>
      status === 'firing' &&
      receivedAt > startedAt &&
      outcomes.some(({ fate }) => fate.kind === 'handed'),
  );
}

const tooLong = (deps: CliDeps, id: string): FixpointError =>
  new FixpointError('deadline_exceeded', 'the remediation did not end within --timeout', {
    hint: `it goes on: ${selfOf(deps)} remediation tail '${id}'`,
  });

/** One picture that is drawn over itself. */
class Redrawn {
  readonly #deps: CliDeps;
  #height = 0;

  constructor(deps: CliDeps) {
    this.#deps = deps;
  }

  show(progress: Progress): void {
    const { terminal } = this.#deps;
    const lines = [...pictureOf(terminal, progress)];
    if (!isEnded(progress.state)) {
      lines.push(coloured(terminal, 'dim', '  Ctrl-C leaves it running'));
    }
    const up = this.#height === 0 ? '' : `\u001b[${this.#height}A\u001b[J`;
    // No line may wrap, or the height would be wrong: the terminal cuts them meanwhile.
    terminal.out(`${up}\u001b[?7l${lines.join('\n')}\n\u001b[?7h`);
    this.#height = lines.length;
  }
}

/** One line a change, for pipes and logs. */
class Lines {
  readonly #deps: CliDeps;
  #before: Progress | null = null;

  constructor(deps: CliDeps, id: string) {
    this.#deps = deps;
    deps.terminal.out(`${plainLine(id)}\n`);
  }

  show(progress: Progress): void {
    for (const line of changesBetween(this.#before, progress)) {
      const at = new Date(this.#deps.clock.now()).toISOString().slice(11, 19);
      this.#deps.terminal.out(`${at}  ${line}\n`);
    }
    this.#before = progress;
  }
}

/** The whole progress as one JSON object a line, each time it has changed; `at` is when it was seen. */
class JsonLines {
  readonly #deps: CliDeps;
  readonly #id: string;
  #before = '';

  constructor(deps: CliDeps, id: string) {
    this.#deps = deps;
    this.#id = id;
  }

  show(progress: Progress): void {
    const now = plainJsonLine(progress);
    if (now === this.#before) return;
    this.#before = now;
    const at = new Date(this.#deps.clock.now()).toISOString();
    const { state, ...more } = progress;
    this.#deps.terminal.out(`${plainJsonLine({ id: this.#id, state, at, ...more })}\n`);
  }
}

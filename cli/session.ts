import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LabelPair } from '../contracts/alert.ts';
import { parseDuration } from '../contracts/duration.ts';
import type { Clock } from '../platform/clock.ts';
import { Client } from './client.ts';
import { type Connection, type ConnectionFlags, connectionOf } from './connection.ts';
import type { OutputFormat } from './output.ts';
import type { Terminal } from './terminal.ts';

/** What every command is given; a command sets the exit status where it is not 0. */
export type CliDeps = {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted when the person presses Ctrl-C. */
  readonly interrupted: AbortSignal;
  setExit(status: number): void;
};

/** The servers a command talks to. */
export type Servers = {
  readonly connection: Connection;
  readonly api: Client;
  readonly gateway: Client;
};

/** How this program was called, for commands that can be typed as they are printed. */
export const selfOf = ({ environment }: CliDeps): string =>
  environment['npm_command'] === 'exec' ? 'npx fixpoint' : 'fixpoint';

/** Reads the global flags of `command`, finds the servers; connects to nothing yet. */
export function serversOf(deps: CliDeps, command: Command): Servers {
  const flags: ConnectionFlags = command.optsWithGlobals();
  const connection = connectionOf({ flags, environment: deps.environment, cwd: deps.cwd });
  const { interrupted } = deps;
  return {
    connection,
    api: new Client({ endpoint: connection.api, name: 'api', interrupted }),
    gateway: new Client({ endpoint: connection.gateway, name: 'gateway', interrupted }),
  };
}

/** `-o table|json`; a new one for each command, because commander keeps the value in it. */
export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print')
    .choices(['table', 'json'] satisfies OutputFormat[])
    .default('table');

/** `--limit n` of listings. */
export const limitOption = (): Option =>
  new Option('--limit <count>', 'at most this many, 1 to 1000').default(50).argParser(countOf);

/** `--by`: a name that gives no right (invariant 9). */
export const byOption = (): Option => new Option('--by <name>', 'who you are; recorded as claimed');

export function countOf(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1_000) {
    throw new InvalidArgumentError('It must be a number from 1 to 1000.');
  }
  return count;
}

/** A duration such as `90s`, in milliseconds. */
export function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Write a number and a unit: 30s, 5m, 1h.');
  return ms;
}

/** `name=value`; may be given again. Pairs, because `__proto__` is a legal label. */
export function labelOf(text: string, given: readonly LabelPair[] = []): LabelPair[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write name=value.');
  return [...given, [text.slice(0, at), text.slice(at + 1)]];
}

/** `fixpoint alert ls` as examples under a command's help. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `    ${line}\n`).join('')}`;

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type RunFile, runFile } from '../contracts/run-file.ts';
import { FixpointError } from '../domain/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export type ConnectionFlags = {
  readonly url?: string | undefined;
  readonly gatewayUrl?: string | undefined;
  readonly tokenFile?: string | undefined;
};

export type Endpoint = { readonly url: string; readonly token: string | null };

/** Where to go and with which credential. */
export type Connection = {
  readonly api: Endpoint;
  readonly gateway: Endpoint;
  /** Temporal UI, if it is known; without a slash at its end. */
  readonly temporalUi: string | null;
};

/** FIXPOINT_STATE_DIR, else the `.fixpoint` folder of the clone that `cwd` lies in, or null. */
export function findStateDir(of: {
  readonly cwd: string;
  readonly environment: Environment;
}): string | null {
  const given = set(of.environment['FIXPOINT_STATE_DIR']);
  if (given !== undefined) return resolve(of.cwd, given);
  for (let folder = resolve(of.cwd); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.fixpoint'))) return join(folder, '.fixpoint');
    if (dirname(folder) === folder) return null;
  }
}

/** What runs here, or null where nothing was started. Throws `invalid_payload` for a damaged file. */
export function readRunFile(stateDir: string): RunFile | null {
  const path = join(stateDir, 'run.json');
  try {
    return runFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    if (!existsSync(path)) return null;
    throw new FixpointError('invalid_payload', `${path} cannot be read as a record of a run`, {
      cause,
      hint: 'start Fixpoint again with `npm start`; it writes the file anew',
    });
  }
}

/**
 * Flags win over the environment, which wins over `run.json` (names 1). The token of `run.json` goes
 * only to the addresses of `run.json`: another server named by a flag never sees it.
 */
export function connectionOf(of: {
  readonly flags: ConnectionFlags;
  readonly environment: Environment;
  readonly cwd: string;
}): Connection {
  const stateDir = findStateDir(of);
  const run = stateDir === null ? null : readRunFile(stateDir);
  const token = tokenOf(of.flags, of.environment);
  const endpoint = (url: string, ownUrl: string | undefined): Endpoint => ({
    url: url.replace(/\/+$/, ''),
    token: token ?? (run !== null && sameOrigin(url, ownUrl) ? run.token : null),
  });
  return {
    api: endpoint(
      of.flags.url ??
        set(of.environment['FIXPOINT_URL']) ??
        run?.api.url ??
        'http://127.0.0.1:8450',
      run?.api.url,
    ),
    gateway: endpoint(
      of.flags.gatewayUrl ??
        set(of.environment['FIXPOINT_GATEWAY_URL']) ??
        run?.gateway.url ??
        'http://127.0.0.1:8452',
      run?.gateway.url,
    ),
    temporalUi: run?.temporal.ui?.replace(/\/+$/, '') ?? null,
  };
}

const set = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** Whether two addresses are of the same server; none is of an address that is not known. */
export const sameOrigin = (url: string, other: string | undefined): boolean =>
  other !== undefined && URL.canParse(url) && new URL(url).origin === new URL(other).origin;

function tokenOf(flags: ConnectionFlags, environment: Environment): string | null {
  const file = flags.tokenFile ?? set(environment['FIXPOINT_TOKEN_FILE']);
  if (file === undefined) return set(environment['FIXPOINT_TOKEN']) ?? null;
  return readSecretFile(file);
}

/** The content of a file that holds one secret, without white space around it. */
export function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new FixpointError('unauthenticated', `the token file ${path} cannot be read`, {
      cause,
      hint: 'name another one with --token-file or FIXPOINT_TOKEN_FILE',
    });
  }
}

import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { z } from 'zod';
import { type Config, clocksSchema, guardsSchema, settings } from '../contracts/config.ts';
import { defaultClocks } from '../contracts/limits.ts';
import { FixpointError, type Flaw } from '../domain/errors.ts';
import { refusalOfCrashPoints } from './crash-point.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** This process's environment: the only place that reads it (with `agent/main.ts` and the tools). */
export const processEnvironment = (): Environment => process.env;

/**
 * The configuration from environment and file; the environment wins. Throws `invalid_payload`
 * with every flaw at once, each naming its variable; values of secrets are never shown.
 */
export function loadConfig(environment: Environment): Config {
  const file = readFile(environment['FIXPOINT_CONFIG']);
  const flaws: Flaw[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const isSecret = 'secret' in setting;
    const given = isSecret
      ? readSecret(environment, setting.env, flaws)
      : emptyAsUnset(environment[setting.env]);
    const parsed = setting.schema.safeParse(given ?? file[name]);
    if (parsed.success) values[name] = parsed.data;
    else
      flaws.push(
        flawOf({
          name,
          env: setting.env,
          isSecret,
          given: given ?? file[name],
          error: parsed.error,
        }),
      );
  }
  for (const name of Object.keys(file)) {
    if (!sections.has(name) && !Object.hasOwn(settings, name)) {
      flaws.push({ field: name, fix: 'is not a setting; see docs/configuration.md' });
    }
  }
  const clocks = clocksSchema.safeParse(file['clocks'] ?? {});
  if (!clocks.success) {
    for (const issue of clocks.error.issues) {
      flaws.push({ field: `clocks.${issue.path.join('.')}`, fix: issue.message });
    }
  }
  const guards = guardsSchema.safeParse(file['guards'] ?? {});
  if (!guards.success) {
    for (const issue of guards.error.issues) {
      flaws.push({ field: ['guards', ...issue.path].join('.'), fix: issue.message });
    }
  }
  const config = {
    ...values,
    guards: guards.success ? guards.data : {},
    clocks: clocks.success ? clocks.data : defaultClocks,
    crashPoint: emptyAsUnset(environment['FIXPOINT_CRASH_POINT']),
  } as Config; // Each field was parsed by its own schema above, or stands among the flaws.
  if (flaws.length === 0) flaws.push(...crashPointFlaws(config));
  if (flaws.length > 0)
    throw new FixpointError('invalid_payload', 'the configuration has flaws', { flaws });
  return config;
}

/** Parts of the file that are no settings of their own, and have no variable. */
const sections: ReadonlySet<string> = new Set(['clocks', 'guards']);

function crashPointFlaws(config: Config): readonly Flaw[] {
  if (config.crashPoint === undefined) return [];
  const { temporalAddress, redisUrl, apiListen, agentListen, gatewayListen, gatewayUrl } = config;
  const fix = refusalOfCrashPoints({
    addresses: [temporalAddress, redisUrl, apiListen, agentListen, gatewayListen, gatewayUrl],
    stateDirectory: config.stateDir,
  });
  return fix === null ? [] : [{ field: 'FIXPOINT_CRASH_POINT', fix }];
}

const emptyAsUnset = (text: string | undefined): string | undefined =>
  text === '' ? undefined : text;

function readFile(path: string | undefined): Record<string, unknown> {
  const name = path ?? 'fixpoint.yaml';
  if (!existsSync(name)) {
    if (path === undefined) return {};
    throw new FixpointError('invalid_payload', `FIXPOINT_CONFIG names ${path}, which is not there`);
  }
  const content: unknown = parse(readFileSync(name, 'utf8'));
  if (content === null) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new FixpointError('invalid_payload', `${name} must hold names and values`);
  }
  return { ...content };
}

function readSecret(environment: Environment, env: string, flaws: Flaw[]): string | undefined {
  const file = emptyAsUnset(environment[`${env}_FILE`]);
  if (file === undefined) return emptyAsUnset(environment[env]);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    flaws.push({ field: `${env}_FILE`, value: file, fix: 'cannot be read' });
    return undefined;
  }
}

function flawOf(of: {
  name: string;
  env: string;
  isSecret: boolean;
  given: unknown;
  error: z.ZodError;
}): Flaw {
  const fix = of.error.issues.map((issue) => issue.message).join('; ');
  const field = `${of.env} (${of.name} in the file)`;
  return of.isSecret || of.given === undefined
    ? { field, fix }
    : { field, value: JSON.stringify(of.given), fix };
}

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settings } from '../contracts/config.ts';
import { defaultClocks } from '../contracts/limits.ts';
import { durationText } from '../domain/duration-text.ts';

const page = new URL('../docs/configuration.md', import.meta.url);
const limitsSource = new URL('../contracts/limits.ts', import.meta.url);

/** `docs/configuration.md` as it has to be; a test compares it with the file. */
export function configurationPage(): string {
  return `# Configuration

Every server reads the same settings: from the environment, or under the name in the second column
from \`fixpoint.yaml\` (or the file that \`FIXPOINT_CONFIG\` names). The environment wins. All flaws
are told at once when a server starts. Secrets may also be given as a file, by the same variable with
\`_FILE\` at its end; \`npm start\` makes them in \`.fixpoint/secrets/\`.

This page is made from \`contracts/config.ts\` by \`node tools/configuration-page.ts\`.

## Settings

| variable | in the file | default | what it is |
|---|---|---|---|
${Object.entries(settings).map(settingRow).join('\n')}

## Clocks

Under \`clocks:\` in the file, as durations: \`250ms\`, \`10s\`, \`5m\`, \`2h\`, \`1d\`. A repair that runs
keeps the clocks it started with.

| name | default | what it is |
|---|---|---|
${clockRows().join('\n')}

## Guards

Under \`guards:\` in the file, what holds for all policies together:

| name | default | what it is |
|---|---|---|
| \`blastRadius\` | none | Hosts of a fault domain that may be held at once, as \`5\` or \`"10%"\` of its enrolled agents, rounded down, at least 1. A policy may say less, never more. Where neither says anything it is \`"25%"\`. |

## Agents

An agent reads no file of the servers. It knows the gateways and its own state directory:

| variable | default | what it is |
|---|---|---|
| \`FIXPOINT_AGENT_GATEWAYS\` | those its token named | Addresses of the gateways, separated by commas, tried in random order. |
| \`FIXPOINT_AGENT_STATE_DIR\` | \`/var/lib/fixpoint-agent\` | Key, certificate, journal and job folders. |
| \`FIXPOINT_AGENT_TOKEN_FILE\` | | A token; a host without an identity is enrolled with it at its first start. |
| \`FIXPOINT_AGENT_CONFIG\` | \`agent.yaml\` | What is special about this host: \`jobEnvironment\`, \`metricsListen\`. |
| \`FIXPOINT_METRICS_LISTEN\` | none | [Metrics and health](metrics.md) of the agent, on loopback only. |

In \`agent.yaml\`: \`jobEnvironment\`, variables for every script; \`runAs: { allow: [web] }\`, the only users that
jobs may run as ([more](running-scripts.md#the-user-runas)).

## The command line

| variable | default | what it is |
|---|---|---|
| \`FIXPOINT_URL\` | from \`.fixpoint/run.json\`, else \`http://127.0.0.1:8450\` | The api. |
| \`FIXPOINT_GATEWAY_URL\` | from \`.fixpoint/run.json\`, else \`http://127.0.0.1:8452\` | The gateway. |
| \`FIXPOINT_TOKEN_FILE\` | from \`.fixpoint/run.json\` | File with the operator token. |
| \`NO_COLOR\` | | Any value: no colours. |

## The embedded servers of \`npm start\`

| variable | default | what it is |
|---|---|---|
| \`FIXPOINT_DEV_TEMPORAL_PORT\` | 7233 | Port of the Temporal dev server. |
| \`FIXPOINT_DEV_TEMPORAL_UI_PORT\` | 8233 | Port of Temporal UI. |
| \`FIXPOINT_DEV_REDIS_PORT\` | 8479 | Port of Redis. |
| \`FIXPOINT_DEV_METRICS_PORT\` | 8460 | First of the ports for metrics and health. |
| \`FIXPOINT_DEV_AGENTS\` | 3 | Local agents, 2 to 30, each with a demo service. |
| \`FIXPOINT_DEV_DEMO_PORT\` | 8481 | First of the demo services' ports. |
| \`TEMPORAL_CLI\`, \`REDIS_SERVER\`, \`TEMPORAL_TEST_SERVER\` | PATH, then the cache | Programs to use instead. |

With \`TEMPORAL_ADDRESS\` or \`REDIS_URL\` set, that server is used and left running.
`;
}

function settingRow([name, setting]: [string, (typeof settings)[keyof typeof settings]]): string {
  const fallback = setting.schema.safeParse(undefined);
  const value = fallback.success ? fallback.data : undefined;
  const isSecret = 'secret' in setting ? ' Secret.' : '';
  return `| \`${setting.env}\` | \`${name}\` | ${defaultText(value)} | ${setting.about}${isSecret} |`;
}

function defaultText(value: unknown): string {
  if (value === undefined) return '';
  return `\`${Array.isArray(value) ? value.join(',') : String(value)}\``;
}

/** The meaning of a clock stands beside it in the source, so that nobody has to keep two texts. */
function clockRows(): string[] {
  const source = readFileSync(limitsSource, 'utf8');
  return Object.entries(defaultClocks).map(([name, ms]) => {
    const about = new RegExp(`/\\*\\* ((?:(?!\\*/).)*) \\*/\\s+${name}:`).exec(source)?.[1];
    if (about === undefined) throw new Error(`${name} has no comment in contracts/limits.ts`);
    return `| \`${name.replace(/Ms$/, '')}\` | ${durationText(ms)} | ${about} |`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, configurationPage());

import { z } from 'zod';
import { duration } from './duration.ts';
import { type Clocks, defaultClocks, limits } from './limits.ts';
import { operatorTokens } from './operator-token.ts';
import { cap } from './share.ts';

/** `host:port` to listen on; port 0 lets the system choose. */
const listen = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, {
  error: 'must be host:port, such as 127.0.0.1:8450',
});
const count = (max: number) =>
  z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(0).max(max));
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]);

/** One setting: its environment variable, its schema, and what it is for. Secrets also take `{ENV}_FILE`. */
type Setting = {
  readonly env: string;
  readonly schema: z.ZodType;
  readonly secret?: true;
  readonly about: string;
};

/**
 * Every setting of the servers (names 1). The same name in `fixpoint.yaml`; the environment wins
 * over the file. `docs/configuration.md` is generated from this table.
 */
export const settings = {
  apiListen: {
    env: 'FIXPOINT_API_LISTEN',
    schema: listen.default('127.0.0.1:8450'),
    about: 'Where the api takes webhooks, callbacks and operators.',
  },
  agentListen: {
    env: 'FIXPOINT_AGENT_LISTEN',
    schema: listen.default('127.0.0.1:8451'),
    about: 'Where the gateway takes agents, by mutual TLS.',
  },
  gatewayListen: {
    env: 'FIXPOINT_GATEWAY_LISTEN',
    schema: listen.default('127.0.0.1:8452'),
    about: 'Where the gateway takes tasks.',
  },
  metricsListen: {
    env: 'FIXPOINT_METRICS_LISTEN',
    schema: listen.optional(),
    about:
      'Metrics and health of this program. Unset: 8460 api, 8461 gateway, 8462 workflows, 8463 activities, 8464 dispatcher, on loopback.',
  },
  temporalMetricsListen: {
    env: 'FIXPOINT_TEMPORAL_METRICS_LISTEN',
    schema: listen.optional(),
    about: 'Metrics of the Temporal SDK in a worker. Unset: none.',
  },
  role: {
    env: 'FIXPOINT_ROLE',
    schema: z.enum(['workflows', 'activities', 'dispatcher']).optional(),
    about: 'What a `workers` process does.',
  },
  temporalAddress: {
    env: 'TEMPORAL_ADDRESS',
    schema: z.string().default('127.0.0.1:7233'),
    about: 'Temporal frontend.',
  },
  temporalNamespace: {
    env: 'TEMPORAL_NAMESPACE',
    schema: z.string().default('default'),
    about: 'Temporal namespace.',
  },
  temporalApiKey: {
    env: 'TEMPORAL_API_KEY',
    schema: z.string().optional(),
    secret: true,
    about: 'API key for a Temporal that wants one.',
  },
  temporalTlsCa: {
    env: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
    schema: z.string().optional(),
    about: 'CA of the Temporal frontend, a PEM file.',
  },
  temporalTlsCert: {
    env: 'TEMPORAL_TLS_CLIENT_CERT_PATH',
    schema: z.string().optional(),
    about: 'Client certificate for Temporal, a PEM file.',
  },
  temporalTlsKey: {
    env: 'TEMPORAL_TLS_CLIENT_KEY_PATH',
    schema: z.string().optional(),
    about: 'Key of that certificate, a PEM file.',
  },
  redisUrl: {
    env: 'REDIS_URL',
    schema: z.string().default('redis://127.0.0.1:8479'),
    secret: true,
    about: 'Redis, one primary. A password in it is a secret.',
  },
  stateDir: {
    env: 'FIXPOINT_STATE_DIR',
    schema: z.string().default('.fixpoint'),
    about: 'Audit log, alert files, secrets of the embedded product.',
  },
  logLevel: {
    env: 'FIXPOINT_LOG_LEVEL',
    schema: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    about: 'Least level that is logged.',
  },
  policyDir: {
    env: 'FIXPOINT_POLICY_DIR',
    schema: z.string().default('policies'),
    about: 'Folder of policies, read at start in file order.',
  },
  runbookDir: {
    env: 'FIXPOINT_RUNBOOK_DIR',
    schema: z.string().default('runbooks'),
    about: 'Folder of runbooks and their scripts.',
  },
  operatorToken: {
    env: 'FIXPOINT_TOKEN',
    schema: z.string().min(16).optional(),
    secret: true,
    about:
      'Bearer token of the command line, and of operators who share one: in histories they are `operator`, with the role admin.',
  },
  operatorTokens: {
    env: 'FIXPOINT_OPERATOR_TOKENS',
    schema: operatorTokens.prefault(''),
    secret: true,
    about:
      'Named operators, a line `name:role:token` each; roles are viewer, operator, approver and admin.',
  },
  approvalsFromTemporal: {
    env: 'FIXPOINT_APPROVALS_FROM_TEMPORAL',
    schema: z
      .union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
      .default(true),
    about:
      'Whether approvals that are given in Temporal count, whose names are only typed; false: those through the api alone.',
  },
  gatewayToken: {
    env: 'FIXPOINT_GATEWAY_TOKEN',
    schema: z.string().min(16).optional(),
    secret: true,
    about: 'Bearer token with which workers submit tasks.',
  },
  webhookSecret: {
    env: 'FIXPOINT_WEBHOOK_SECRET_ALERTMANAGER',
    schema: z.string().min(16).optional(),
    secret: true,
    about: 'Bearer token of Alertmanager. Two, separated by a comma, while one is replaced.',
  },
  callbackSecret: {
    env: 'FIXPOINT_CALLBACK_SECRET',
    schema: z.string().startsWith('whsec_').optional(),
    secret: true,
    about:
      'Key of callback signatures (Standard Webhooks). Two, separated by a comma, while one is replaced; the first signs.',
  },
  escalationSecret: {
    env: 'FIXPOINT_ESCALATION_SECRET',
    schema: z.string().startsWith('whsec_').optional(),
    secret: true,
    about:
      'Activities only: key of the signatures of escalations (Standard Webhooks), whose receivers have it too.',
  },
  temporalUiUrl: {
    env: 'FIXPOINT_TEMPORAL_UI_URL',
    schema: z.url().optional(),
    about: 'Where people reach Temporal UI; escalations link there. Unset: no link.',
  },
  signingKey: {
    env: 'FIXPOINT_SIGNING_KEY',
    schema: z.string().optional(),
    secret: true,
    about:
      'Activities only: key that signs jobs (Ed25519, PKCS #8 in PEM). Two, separated by a comma, while one is replaced; the first signs.',
  },
  gatewayId: {
    env: 'FIXPOINT_GATEWAY_ID',
    schema: z.string().max(128).optional(),
    about: 'Name of this gateway, another one for each. Unset: hostname-pid.',
  },
  gatewayUrl: {
    env: 'FIXPOINT_GATEWAY_URL',
    schema: z.url().default('http://127.0.0.1:8452'),
    about:
      'Where workers, the command line and other gateways reach the gateway; each gateway names its own.',
  },
  callbackUrl: {
    env: 'FIXPOINT_CALLBACK_URL',
    schema: z.url().default('http://127.0.0.1:8450/v1/callbacks/tasks'),
    about: 'Where gateways report the end of our tasks.',
  },
  egressAllow: {
    env: 'FIXPOINT_EGRESS_ALLOW',
    schema: list.default(['127.0.0.1', 'localhost', '::1']),
    about:
      'Hosts that may be sent to: where callbacks and escalations go, the other gateways, pages that prove a repair. Also `*.lan`, or IPv4 networks as `10.1.0.0/16`.',
  },
  intakeReplicas: {
    env: 'FIXPOINT_INTAKE_REPLICAS',
    schema: count(10).default(0),
    about: 'Redis replicas that must have an alert before it is answered 2xx.',
  },
  intakeEntriesMax: {
    env: 'FIXPOINT_INTAKE_ENTRIES_MAX',
    schema: count(100_000_000).default(limits.intakeEntriesMax),
    about: 'Entries waiting in the intake, beyond which webhooks are answered 503.',
  },
  agentGateways: {
    env: 'FIXPOINT_AGENT_GATEWAYS',
    schema: list.optional(),
    about:
      'Where agents reach the gateways, as wss://host:port, one or more; enrolment tokens carry it. Unset: FIXPOINT_AGENT_LISTEN.',
  },
  certificatesDir: {
    env: 'FIXPOINT_CERTIFICATES_DIR',
    schema: z.string().default('.fixpoint/secrets/ca'),
    about:
      'Gateway only: ca.crt, ca.key, gateway.crt, gateway.key, the issue register issued.jsonl and the trust bundle trust.json.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** `clocks:` of `fixpoint.yaml`, in durations; see `limits.ts` for what each one is. */
export const clocksSchema = z
  .strictObject(
    Object.fromEntries(
      Object.keys(defaultClocks).map((name) => [name.replace(/Ms$/, ''), duration.optional()]),
    ),
  )
  .transform(
    (given): Clocks => ({
      ...defaultClocks,
      ...Object.fromEntries(
        Object.entries(given).flatMap(([name, ms]) =>
          ms === undefined ? [] : [[`${name}Ms`, ms]],
        ),
      ),
    }),
  );

/** `guards:` of `fixpoint.yaml`: what holds for all policies together, beside what each says itself. */
export const guardsSchema = z.strictObject({
  /** Hosts of a fault domain held at once, or a percentage of its enrolled agents. */
  blastRadius: cap.optional(),
});

export type Config = {
  readonly [K in SettingName]: z.output<(typeof settings)[K]['schema']>;
} & {
  readonly clocks: Clocks;
  readonly guards: z.output<typeof guardsSchema>;
  readonly crashPoint: string | undefined;
};

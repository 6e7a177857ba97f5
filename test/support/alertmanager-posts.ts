import assert from 'node:assert/strict';
import { type WebhookAnswer, webhookAnswer } from '../../contracts/http.ts';
import { eventually } from './eventually.ts';
import { operatorToken, webhookSecret } from './intake-product.ts';

/** One alert of a webhook body, as Alertmanager writes it. */
export const anEntry = (over: Readonly<Record<string, unknown>> = {}) => ({
  status: 'firing',
  labels: { alertname: 'ServiceDown', instance: 'web1:9100', service: 'web', severity: 'page' },
  annotations: { summary: 'it is down' },
  startsAt: '2026-01-01T00:00:10.123456789Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: '',
  fingerprint: 'a1b2c3d4e5f60718',
  ...over,
});

/** A whole body; newer keys included, as senders of 0.34 write them. */
export const aBody = (
  alerts: readonly unknown[] = [anEntry()],
  over: Readonly<Record<string, unknown>> = {},
) => ({
  receiver: 'fixpoint',
  status: 'firing',
  alerts,
  groupLabels: {},
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://alertmanager:9093',
  version: '4',
  groupKey: '{}:{alertname="ServiceDown"}',
  truncatedAlerts: 0,
  notification_reason: 'first notification',
  routeLabels: {},
  ...over,
});

/** Posts raw text or data to the webhook route, with the right secret. */
export const post = (url: string, body: unknown, token = webhookSecret): Promise<Response> =>
  fetch(`${url}/v1/webhooks/alertmanager`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** Posts and expects 200. */
export async function postOk(url: string, body: unknown): Promise<WebhookAnswer> {
  const response = await post(url, body);
  assert.equal(response.status, 200);
  return webhookAnswer.parse(await response.json());
}

/** Calls an operator's route. */
export const operate = (
  url: string,
  path: string,
  of: {
    readonly method?: string;
    readonly body?: unknown;
    readonly token?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: of.method ?? 'GET',
    headers: { authorization: `Bearer ${of.token ?? operatorToken}`, ...of.headers },
    ...(of.body === undefined ? {} : { body: JSON.stringify(of.body) }),
  });

export type Scrape = {
  /** Whether Redis answered; without it there is nothing to add up, and that is equal. */
  readonly isUp: boolean;
  readonly received: number;
  readonly backlog: number;
  readonly fates: Readonly<Record<string, number>>;
};

/**
 * Scrapes once nothing waits any more. Only that is waited for: a sum that is not equal fails at
 * once, at whichever scrape it is.
 */
export async function scrapeSettled(url: string, withinMs = 20_000): Promise<Scrape> {
  const answer = await eventually(
    async () => {
      const found = await scrape(url).catch((error: unknown) => ({ error }));
      if (!('error' in found)) assert.deepEqual([found.isUp, found.backlog], [true, 0]);
      return found;
    },
    { withinMs },
  );
  if ('error' in answer) throw answer.error;
  return answer;
}

/** Scrapes without a pause until it is stopped, which then throws for the first sum that was not equal. */
export function scrapeAllTheTime(url: string): {
  stop(): Promise<{ readonly scrapes: number; readonly withBacklog: number }>;
} {
  let isDone = false;
  const scraping = (async () => {
    let withBacklog = 0;
    let scrapes = 0;
    for (; !isDone; scrapes += 1) {
      if ((await scrape(url)).backlog > 0) withBacklog += 1;
    }
    return { scrapes, withBacklog };
  })();
  scraping.catch(() => {}); // Told when it is stopped.
  return {
    stop() {
      isDone = true;
      return scraping;
    },
  };
}

/** The intake's metrics of one moment; asserts that every received entry is accounted for. */
export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const fates: Record<string, number> = {};
  let received = 0;
  let backlog = 0;
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(fixpoint_intake_\w+)\{(.*)\} (\d+)$/.exec(line) ?? [];
    if (name === 'fixpoint_intake_received_total') received += Number(value);
    if (name === 'fixpoint_intake_backlog') backlog += Number(value);
    if (name !== 'fixpoint_intake_entries_total') continue;
    const fate = /fate="(\w+)"/.exec(labels)?.[1] ?? '';
    const reason = /reason="(\w+)"/.exec(labels)?.[1];
    fates[reason === undefined ? fate : `${fate}(${reason})`] = Number(value);
  }
  const sum = Object.values(fates).reduce((total, count) => total + count, 0);
  assert.equal(received, sum + backlog, `received ${received}, fates ${sum}, backlog ${backlog}`);
  return { isUp: /^fixpoint_intake_up 1$/m.test(text), received, backlog, fates };
}

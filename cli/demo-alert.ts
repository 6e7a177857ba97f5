import type { RaisedAlert } from './alertmanager-body.ts';

/** The demos that the shipped policies answer to (`policies/`). */
export const demoNames = ['service-down', 'disk-full'] as const;
export type DemoName = (typeof demoNames)[number];

const demos: Record<DemoName, { readonly alertname: string; readonly summary: string }> = {
  'service-down': {
    alertname: 'DemoServiceDown',
    summary: 'the demo service does not answer its health check',
  },
  'disk-full': {
    alertname: 'DemoDiskFull',
    summary: 'the demo directory holds more files than it may',
  },
};

/** The port in `instance` is what a scrape target looks like; the policies strip it. */
function instanceOf(agent: string): string {
  const number = /^agent-([1-9])$/.exec(agent)?.[1];
  return `${agent}:${number === undefined ? 8480 : 8480 + Number(number)}`;
}

/** What Prometheus would say about the demo service of `agent` (its hostname). */
export function demoAlert(of: {
  readonly demo: DemoName;
  readonly agent: string;
  readonly now: number;
  readonly resolved: boolean;
}): RaisedAlert {
  const { alertname, summary } = demos[of.demo];
  return {
    labels: [
      ['alertname', alertname],
      ['instance', instanceOf(of.agent)],
      ['job', 'demo'],
      ['service', 'demo'],
      ['severity', 'page'],
    ],
    annotations: [['summary', `${of.agent}: ${summary}`]],
    startsAt: of.resolved ? of.now - 60_000 : of.now,
    endsAt: of.resolved ? of.now : null,
  };
}

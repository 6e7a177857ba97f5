import { alertmanagerBody, alertmanagerFingerprint } from '../cli/alertmanager-body.ts';
import type { LabelPair } from '../contracts/alert.ts';
import { loopPolicy } from './loop-policy.ts';

/** One alert of the bench: its own group, so its own mailbox and its own repair. */
export type BenchAlert = {
  /** Value of the label `case`, and name of the file its job writes. */
  readonly name: string;
  readonly fingerprint: string;
  /** What Alertmanager would post, as JSON. */
  readonly body: string;
};

/**
 * The `index`th alert of a series, about the local agents in turn or about the `host`th of them. `now`
 * is Unix milliseconds.
 */
export function benchAlert(of: {
  readonly series: string;
  readonly index: number;
  readonly host?: number;
  /** How many local agents there are. */
  readonly agents: number;
  readonly now: number;
}): BenchAlert {
  const name = `${of.series}-${String(of.index).padStart(4, '0')}`;
  const agent = `agent-${((of.host ?? of.index) % of.agents) + 1}`;
  const labels: LabelPair[] = [
    ['alertname', loopPolicy.alertname],
    ['case', name],
    ['instance', `${agent}:9100`],
    ['severity', 'page'],
  ];
  const annotations: LabelPair[] = [['summary', 'a repair is measured']];
  const body = alertmanagerBody({
    alert: { labels, annotations, startsAt: Math.floor(of.now), endsAt: null },
    receiver: 'bench',
    groupBy: ['alertname', 'case'],
    externalUrl: 'http://127.0.0.1:9093',
  });
  return { name, fingerprint: alertmanagerFingerprint(labels), body: JSON.stringify(body) };
}

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const page = new URL('../docs/metrics.md', import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

/** A metric as the source registers it: name, help and labels are literals there. */
export type DocumentedMetric = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
};

const programs = [
  {
    folder: 'agent-gateway',
    title: 'Gateway',
    about: 'On `FIXPOINT_METRICS_LISTEN` (8461 on loopback) and on the gateway’s HTTP API.',
  },
  {
    folder: 'agent',
    title: 'Agent',
    about:
      'Only if `FIXPOINT_METRICS_LISTEN`, or `metricsListen` in `agent.yaml`, names an address of the host itself, such as `127.0.0.1:8470`.',
  },
  { folder: 'api', title: 'Api', about: 'On 8460, and on the api’s own port.' },
  { folder: 'workers', title: 'Workers', about: 'On 8462 to 8464, by role.' },
] as const;

const literal = String.raw`'((?:[^'\\]|\\.)*)'`;
const call = new RegExp(
  String.raw`(counter|gauge|histogram|asked)\(\s*'(fixpoint_\w+)',\s*${literal}(?:,\s*\[([^\]]*)\])?`,
  'g',
);
const row = new RegExp(
  String.raw`name: '(\w+)',\s*type: '(counter|gauge)',\s*help: ${literal},\s*samples`,
  'g',
);
const text = /'# HELP (fixpoint_\w+) ([^'\n]+)',\s*'# TYPE \1 (counter|gauge)'/g;

/** The metrics of one program's folder, sorted by name. Throws if one has no help. */
export function metricsOf(folder: string): DocumentedMetric[] {
  const found = new Map<string, DocumentedMetric>();
  for (const file of globSync(`${folder}/**/*.ts`, { cwd: root }).sort()) {
    const source = readFileSync(new URL(file, new URL('..', import.meta.url)), 'utf8');
    for (const metric of metricsIn(source)) found.set(metric.name, metric);
    for (const [, name = ''] of source.matchAll(/['"`](?:# \w+ )?(fixpoint_[a-z_]+)\b/g)) {
      if (!found.has(name)) throw new Error(`${file}: ${name} is not registered with a help text`);
    }
  }
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function metricsIn(source: string): DocumentedMetric[] {
  const calls = [...source.matchAll(call)].map(([, kind, name = '', help = '', labels = '']) => ({
    ...{ name, help, type: typeOf(kind) },
    labels: [...labels.matchAll(/'(\w+)'/g)].map(([, label = '']) => label),
  }));
  const written = [
    ...[...source.matchAll(row)].map(([, name = '', type, help = '']) => ({ name, type, help })),
    ...[...source.matchAll(text)].map(([, name = '', help = '', type]) => ({ name, type, help })),
  ].map(({ name, type, help }) => ({
    ...{ name, help, type: typeOf(type), labels: labelsIn(source, name) },
  }));
  return [...calls, ...written];
}

const typeOf = (kind: string | undefined): DocumentedMetric['type'] =>
  kind === 'counter' || kind === 'histogram' ? kind : 'gauge';

/** Labels that stand in a sample written by hand: in its own line, or in its row of a table. */
function labelsIn(source: string, name: string): string[] {
  const at = source.search(new RegExp(String.raw`name: '${name}'|\x60${name}\{`));
  if (at < 0) return [];
  const end = source.startsWith('name:', at)
    ? source.indexOf('  },', at)
    : source.indexOf('),', at);
  return [...source.slice(at, end).matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label);
}

/** `docs/metrics.md` as it has to be; a test compares it with the file. */
export function metricsPage(): string {
  const sections = programs.map(({ folder, title, about }) => {
    const rows = metricsOf(folder).map(
      ({ name, type, help, labels }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`,
    );
    return `## ${title}\n\n${about}\n\n| metric | type | labels | what it tells |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Metrics and health

Every program tells its metrics as Prometheus reads them, at \`/metrics\`. No label holds the name of a
host or the text of an alert: values of labels come from tables of our own, so that there are few of them.

\`/livez\` says that the process answers: restart it if not. \`/readyz\` says whether it can do its work, one
line for each thing it needs: keep work away from it if not, and leave it running. A gateway is ready with
Redis and the inventory and while it is not stopping; an agent is ready with a session, a start lease and
no stop.

This page is made from the source by \`node tools/metrics-page.ts\`.

${sections.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, metricsPage());

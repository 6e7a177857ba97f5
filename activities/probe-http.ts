import type { HttpProof, HttpProofInput } from '../contracts/activities.ts';
import { limits } from '../contracts/limits.ts';
import { egressRefusal } from '../domain/egress.ts';
import { FixpointError } from '../domain/errors.ts';
import { fillProbeUrl } from '../domain/probe-url.ts';
import type { InventoryAgent } from '../domain/target-selection.ts';

/** A page as far as a proof looks at it. Asking never rejects. */
export type PageAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'no_answer' }
  | { readonly kind: 'unreachable' };

export type HttpProofDeps = {
  readonly inventory: () => Promise<{
    readonly complete: boolean;
    readonly agents: readonly InventoryAgent[];
  }>;
  /** Redirects are an answer like another: the host was allowed, not where it points to. */
  readonly askPage: (url: URL, timeoutMs: number) => Promise<PageAnswer>;
  readonly egressAllow: readonly string[];
};

type Judged = { readonly letter: string; readonly detail: string };
const passed: Judged = { letter: 's', detail: '' };

/**
 * Asks each host's page once, several at a time. Asking again changes nothing. Nothing is asked while
 * the inventory, which knows the hosts' addresses, may lack a part (invariant 6).
 */
export async function probeHttp(deps: HttpProofDeps, input: HttpProofInput): Promise<HttpProof> {
  const { complete, agents } = await deps.inventory();
  if (!complete) {
    throw new FixpointError('inventory_incomplete', 'the inventory is not complete yet');
  }
  const labels = new Map(agents.map((agent) => [agent.agentId, agent.labels]));
  const judged = new Array<Judged>(input.hosts.length).fill(passed);
  const places = input.hosts.entries();
  // Each lane takes the next host: one that does not answer holds up nobody else.
  const lane = async () => {
    for (const [at, host] of places) {
      judged[at] = await judgeHost(deps, input, { host, labels: labels.get(host.agentId) });
    }
  };
  await Promise.all(Array.from({ length: limits.probePagesAtOnce }, lane));
  return {
    letters: judged.map(({ letter }) => letter).join(''),
    failures: judged
      .flatMap(({ letter, detail }, at) => (letter === 's' ? [] : [{ at, detail }]))
      .slice(0, limits.probeWordsMax),
  };
}

async function judgeHost(
  deps: HttpProofDeps,
  { http, timeoutMs }: HttpProofInput,
  of: {
    readonly host: HttpProofInput['hosts'][number];
    readonly labels: ReadonlyMap<string, string> | undefined;
  },
): Promise<Judged> {
  if (of.labels === undefined) return { letter: 'n', detail: 'not enrolled' };
  const values = new Map(of.host.labels.map(([name, value]) => [`labels.${name}`, value]));
  for (const name of ['hostname', 'ip']) values.set(`host.${name}`, of.labels.get(name) ?? '');
  const filled = fillProbeUrl(http.url, (name) => values.get(name));
  if (filled.kind === 'refused') return { letter: 'r', detail: filled.detail };
  const url = URL.canParse(filled.url) ? new URL(filled.url) : null;
  if (url === null) return { letter: 'r', detail: 'the url is none once it is filled in' };
  const refusal = egressRefusal(url, deps.egressAllow);
  if (refusal !== null) return { letter: 'r', detail: `${refusal.value} ${refusal.fix}` };
  const answer = await deps.askPage(url, timeoutMs);
  if (answer.kind === 'no_answer') return { letter: 't', detail: `no answer in ${timeoutMs} ms` };
  if (answer.kind === 'unreachable') return { letter: 'x', detail: 'not reachable' };
  if (answer.status !== http.status) {
    return { letter: 'f', detail: `status ${answer.status}, not ${http.status}` };
  }
  const lacks = http.contains !== undefined && !answer.text.includes(http.contains);
  return lacks ? { letter: 'f', detail: 'the page lacks the text of "contains"' } : passed;
}

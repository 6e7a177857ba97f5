import type { AdmitAnswer, Refusal } from '../contracts/admission.ts';
import { limits } from '../contracts/limits.ts';
import type { StandingStop } from '../contracts/stop.ts';
import type { Verdict } from './blast-radius.ts';
import { scopeText } from './stop-scope.ts';

/** A host of a domain that is stopped: the governor was not asked. */
type Stopped = {
  readonly kind: 'refused';
  readonly reason: 'stopped';
  readonly stop: StandingStop;
};

export type HostVerdict = Verdict | Stopped;

const letters = { held: 'b', cap: 'c', floor: 'f', stopped: 's' } as const;

/** Verdicts as a workflow keeps them: a letter a host, and the figures of each refusal once. */
export function figuresOf(
  verdicts: readonly HostVerdict[],
): Pick<AdmitAnswer, 'letters' | 'refusals'> {
  const found = new Map<string, Refusal>();
  for (const verdict of verdicts) {
    if (verdict.kind === 'granted') continue;
    const [key, refusal] = refusalOf(verdict);
    // The use is that of the last host judged: those before it were granted or refused by then.
    found.set(key, { ...refusal, hosts: (found.get(key)?.hosts ?? 0) + 1 });
  }
  return {
    letters: verdicts
      .map((verdict) => (verdict.kind === 'granted' ? 'g' : letters[verdict.reason]))
      .join(''),
    refusals: [...found.values()]
      .sort((left, right) => right.hosts - left.hosts)
      .slice(0, limits.refusalsMax),
  };
}

function refusalOf(verdict: Extract<HostVerdict, { kind: 'refused' }>): readonly [string, Refusal] {
  switch (verdict.reason) {
    case 'held':
      return [`busy ${verdict.by}`, { reason: 'busy', by: verdict.by, hosts: 0 }];
    case 'cap': {
      const { domain, limit, used } = verdict;
      return [`cap ${domain}`, { reason: 'cap_reached', domain, limit, used, hosts: 0 }];
    }
    case 'floor': {
      const { service, floor, available } = verdict;
      return [`floor ${service}`, { reason: 'floor', service, floor, available, hosts: 0 }];
    }
    case 'stopped': {
      const { stop } = verdict;
      return [`stopped ${scopeText(stop.scope)}`, { reason: 'stopped', stop, hosts: 0 }];
    }
    default:
      return verdict satisfies never;
  }
}

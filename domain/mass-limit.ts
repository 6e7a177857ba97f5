import type { Share } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import { shareOf } from './share.ts';

/** No fleet is as large. */
const everybody = 1_000_000_000;

/**
 * How many hosts may alert at once before nobody acts (rule R14), with what that comes from, for
 * people. A policy that says nothing has a tenth of the fleet, but no less than 20 hosts.
 */
export function massLimit(
  massHosts: Share | 'off' | undefined,
  enrolled: number,
): { readonly hosts: number; readonly text: string } {
  if (massHosts === 'off') return { hosts: everybody, text: 'off' };
  if (massHosts === undefined) {
    const { massHostsMin, massHostsPercent } = limits;
    const hosts = Math.max(massHostsMin, Math.floor((enrolled * massHostsPercent) / 100));
    const text = `by default ${massHostsPercent}% of ${enrolled} enrolled hosts, at least ${massHostsMin}`;
    return { hosts, text };
  }
  const hosts = shareOf(massHosts, enrolled);
  return { hosts, text: hosts === massHosts ? `${hosts}` : `${massHosts} of ${enrolled} enrolled` };
}

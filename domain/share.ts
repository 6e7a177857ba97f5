import type { Share } from '../contracts/frozen.ts';

/** A share of a whole as a number of hosts: `N` itself, `N%` rounded down, at least 1. */
export const shareOf = (share: Share, whole: number): number =>
  typeof share === 'number' ? share : Math.max(1, Math.floor(exactShare(share, whole)));

/** The same for what must stay: rounded up, so that the rounding spares a host and costs none. */
export const keptShareOf = (share: Share, whole: number): number =>
  typeof share === 'number' ? share : Math.ceil(exactShare(share, whole));

/** Whole numbers are multiplied first: a percentage of a whole that divides evenly is exact. */
const exactShare = (percent: string, whole: number): number =>
  (whole * Number(percent.slice(0, -1))) / 100;

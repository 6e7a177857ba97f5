/** Why a plan could not be made: the last try's own word, how long it was tried, and what to do. */
export function planFailureText(message: string, planMs: number): string {
  const minutes = Math.round(planMs / 60_000);
  return `${message}; it was tried for up to ${minutes} min, all that clocks.plan allows; see \`fixpoint status\`, and once every part is up the next firing is planned`;
}

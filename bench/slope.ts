/** A reading of something that should stay as it is; `at` in milliseconds from any start. */
export type Reading = { readonly at: number; readonly value: number };

const hourMs = 3_600_000;

/** Change an hour by least squares over all readings; of fewer than two it is 0. */
export function slopePerHour(readings: readonly Reading[]): number {
  const n = readings.length;
  if (n < 2) return 0;
  const meanAt = readings.reduce((sum, { at }) => sum + at, 0) / n;
  const meanValue = readings.reduce((sum, { value }) => sum + value, 0) / n;
  const spread = readings.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  const common = readings.reduce(
    (sum, { at, value }) => sum + (at - meanAt) * (value - meanValue),
    0,
  );
  return spread === 0 ? 0 : (common / spread) * hourMs;
}

/** What a series of measurements comes to. Quantiles by nearest rank: with n = 50 `p99` is the maximum. */
export type Figures = {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
};

/** The figures of a series, which must not be empty; rounded to a hundredth. */
export function figuresOf(values: readonly number[]): Figures {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = [...values].sort((left, right) => left - right);
  const quantile = (q: number): number => sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
  return {
    n: sorted.length,
    p50: rounded(quantile(0.5)),
    p90: rounded(quantile(0.9)),
    p99: rounded(quantile(0.99)),
    min: rounded(quantile(Number.EPSILON)),
    max: rounded(quantile(1)),
    mean: rounded(values.reduce((sum, value) => sum + value, 0) / values.length),
  };
}

export const rounded = (value: number): number => Math.round(value * 100) / 100;

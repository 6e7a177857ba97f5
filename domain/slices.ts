/** Parts of a list in its order, each of `size` items but the last, which may have fewer. `size` is at least 1. */
export function* slices<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

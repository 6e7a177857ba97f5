import type { Episode } from '../contracts/temporal.ts';

/** JSON characters of a repair's episodes: its input stays below Temporal's 2 MB, CJK included. */
const repairCharactersMax = 500_000;

/** As many as one repair can carry, at least one; the others stay due for the next. */
export function portionOf(due: readonly Episode[]): readonly Episode[] {
  let characters = 0;
  const end = due.findIndex((episode, at) => {
    characters += JSON.stringify(episode).length;
    return at > 0 && characters > repairCharactersMax;
  });
  return end < 0 ? due : due.slice(0, end);
}

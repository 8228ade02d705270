/** How many letters a misspelt name may differ by; one in a short name, where two would make another word. */
const MAX_DISTANCE = 2;
const SHORT = 7;

/** For each name that is unknown and one or two letters away from a known one: a sentence that names both. */
export function findMisspelt(names: string[], known: string[]): string[] {
  return names
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const meant = known.find((each) => distance(name, each) <= (each.length > SHORT ? MAX_DISTANCE : 1));
      return meant === undefined ? [] : [`${name} is not a variable of freshgate; did you mean ${meant}?`];
    });
}

/** The Levenshtein distance: how many letters must be added, removed or replaced. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > MAX_DISTANCE) return Infinity;
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (const [j, otherLetter] of [...other].entries()) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]];
      next.push(Math.min(left + 1, above + 1, diagonal + (letter === otherLetter ? 0 : 1)));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

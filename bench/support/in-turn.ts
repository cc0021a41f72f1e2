// Measurements on a machine that others share: the contenders run in turn, round after round, and what is said is
// the median and the ratio of the medians, with every run kept.

export interface Contender {
  readonly name: string;
  /** One run; gives the seconds that count. */
  readonly run: () => Promise<number> | number;
}

export interface Measured {
  readonly name: string;
  /** Seconds, in the order of the rounds. */
  readonly seconds: readonly number[];
  readonly median: number;
}

export async function inTurn(contenders: readonly Contender[], rounds: number): Promise<Measured[]> {
  const seconds = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { run }] of contenders.entries()) seconds[index]?.push(await run());
  }
  return contenders.map(({ name }, index) => {
    const own = seconds[index] ?? [];
    return { name, seconds: own, median: median(own) };
  });
}

/** @throws RangeError where there is none of the name */
export function medianOf(runs: readonly Measured[], name: string): number {
  const found = runs.find((run) => run.name === name);
  if (!found) throw new RangeError(`no contender ${name}`);
  return found.median;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

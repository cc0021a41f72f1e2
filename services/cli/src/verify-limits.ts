// The options that say what a verification must keep to.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { defaultLimits, type ComparisonLimits } from '@capfleet/shared/verify/thresholds';
import { parseCount, parseSpan } from './settings.ts';

/** `any` is no limit. */
type Limit = number | 'any';

export interface LimitOptions {
  readonly maxLoss?: Limit;
  readonly maxDuplicates?: Limit;
  readonly maxForeign?: Limit;
  readonly maxInversions?: Limit;
  readonly maxDisplaced?: Limit;
  readonly maxDeviation?: Limit;
  readonly maxDeviationP99?: Limit;
  readonly maxGapError?: Limit;
  readonly maxGapErrorP99?: Limit;
  readonly maxLateness?: Limit;
  readonly maxLatenessP99?: Limit;
  readonly maxDrift?: Limit;
  readonly minConsistency?: Limit;
}

const count = orAny(parseCount);
const duration = orAny((text) => Number(parseSpan(text)));

export function addLimitOptions(command: Command): Command {
  const limit = (flags: string, meaning: string, parser: (text: string) => Limit): void => {
    command.addOption(new Option(flags, meaning).argParser(parser));
  };
  limit('--max-loss <packets>', 'packets that may be missing, or any (default: 0)', count);
  limit('--max-duplicates <packets>', 'packets that may have come once more, or any (default: 0)', count);
  limit('--max-foreign <packets>', 'packets that may have come from elsewhere (default: any)', count);
  limit('--max-inversions <n>', 'neighbours that may have changed places, or any (default: 0)', count);
  limit('--max-displaced <packets>', 'packets that may be out of order, N − LIS (default: any)', count);
  limit('--max-deviation <duration>', 'of any packet from its place in the schedule', duration);
  limit('--max-deviation-p99 <duration>', 'of 99 % of the packets', duration);
  limit('--max-gap-error <duration>', 'of any gap between two packets', duration);
  limit('--max-gap-error-p99 <duration>', 'of 99 % of the gaps', duration);
  limit('--max-lateness <duration>', 'of any packet, with --started-at', duration);
  limit('--max-lateness-p99 <duration>', 'of 99 % of the packets, with --started-at', duration);
  limit('--max-drift <ppm>', 'slope of the deviation, such as 5ppm', orAny(parsePpm));
  limit('--min-consistency <kappa>', 'least κ, from 0 to 1', orAny(parseShare));
  return command;
}

export function limitsOf(options: LimitOptions): ComparisonLimits {
  const pick = (given: Limit | undefined, otherwise: number | null): number | null =>
    given === undefined ? otherwise : given === 'any' ? null : given;
  const {
    maxLoss,
    maxDuplicates,
    maxForeign,
    maxInversions,
    maxDisplaced,
    maxDeviation,
    maxDeviationP99,
    maxGapError,
    maxGapErrorP99,
    maxLateness,
    maxLatenessP99,
    maxDrift,
    minConsistency,
  } = options;
  return {
    loss: pick(maxLoss, defaultLimits.loss),
    duplicates: pick(maxDuplicates, defaultLimits.duplicates),
    foreign: pick(maxForeign, defaultLimits.foreign),
    inversions: pick(maxInversions, defaultLimits.inversions),
    displaced: pick(maxDisplaced, defaultLimits.displaced),
    deviation: pick(maxDeviation, defaultLimits.deviation),
    deviationP99: pick(maxDeviationP99, defaultLimits.deviationP99),
    gapError: pick(maxGapError, defaultLimits.gapError),
    gapErrorP99: pick(maxGapErrorP99, defaultLimits.gapErrorP99),
    lateness: pick(maxLateness, defaultLimits.lateness),
    latenessP99: pick(maxLatenessP99, defaultLimits.latenessP99),
    drift: pick(maxDrift, defaultLimits.drift),
    consistency: pick(minConsistency, defaultLimits.consistency),
  };
}

function orAny(parser: (text: string) => number): (text: string) => Limit {
  return (text) => (text === 'any' ? 'any' : parser(text));
}

function parsePpm(text: string): number {
  const [, digits] = /^(\d{1,6}(?:\.\d{1,6})?)\s*(?:ppm)?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError(`"${text}" is no drift such as 5ppm or 0.5.`);
  return Number(digits);
}

function parseShare(text: string): number {
  const share = /^(0|1|0?\.\d{1,12}|0\.\d{1,12}|1\.0+)$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(share)) throw new InvalidArgumentError(`"${text}" is no number from 0 to 1.`);
  return share;
}

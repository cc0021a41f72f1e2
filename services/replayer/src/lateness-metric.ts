// A histogram for Prometheus whose samples were counted elsewhere: the pacer keeps its own, and tells it by these bounds.
import { Histogram, type HistogramConfiguration } from 'prom-client';
import { LATENESS_BOUNDS } from './meters.ts';
import type { LatenessSpread } from './ports/pacer.ts';

const NS_PER_SECOND = 1e9;

export class LatenessMetric extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #upTo = LATENESS_BOUNDS.map(() => 0);
  #count = 0;
  #sum = 0;

  constructor(configuration: HistogramConfiguration<never>) {
    super(configuration);
    this.#about = configuration;
  }

  /** @param since what was added of the same play before */
  add(spread: LatenessSpread, since: LatenessSpread | null): void {
    for (const [index, upTo] of spread.upTo.entries())
      this.#upTo[index] = (this.#upTo[index] ?? 0) + upTo - (since?.upTo[index] ?? 0);
    this.#count += spread.count - (since?.count ?? 0);
    this.#sum += spread.sum - (since?.sum ?? 0);
  }

  /** What the registry asks for. */
  async getForPromString(): Promise<unknown> {
    const { name, help } = this.#about;
    const bucket = (le: number | '+Inf', value: number) => ({
      metricName: `${name}_bucket`,
      labels: { le },
      sharedLabels: {},
      value,
    });
    const values = [
      ...LATENESS_BOUNDS.map((bound, index) => bucket(bound / NS_PER_SECOND, this.#upTo[index] ?? 0)),
      bucket('+Inf', this.#count),
      { metricName: `${name}_sum`, labels: {}, sharedLabels: {}, value: this.#sum / NS_PER_SECOND },
      { metricName: `${name}_count`, labels: {}, sharedLabels: {}, value: this.#count },
    ];
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }
}

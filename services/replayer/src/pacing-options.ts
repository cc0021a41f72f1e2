// How the pacing thread of this host works; the same for all runs of an agent.

export const spinModes = ['none', 'auto', 'max'] as const;
export const stampModes = ['off', 'sample', 'all'] as const;

export interface PacingOptions {
  /** Before a due time: only sleep; sleep, then spin for a margin that follows this host; spin for the widest margin. */
  readonly spin: (typeof spinModes)[number];
  /** The real-time class: true is refused where it is not allowed, null takes it where it is. */
  readonly realtime: boolean | null;
  /** The processor of the pacing thread, as /proc/cpuinfo counts; null: whichever is free. */
  readonly cpu: number | null;
  /** Which packets ask the kernel when they leave: none, about one in a millisecond, all. */
  readonly txStamps: (typeof stampModes)[number];
}

export const plainPacing: PacingOptions = { spin: 'auto', realtime: null, cpu: null, txStamps: 'off' };

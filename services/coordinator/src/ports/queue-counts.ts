// The port to how many jobs a queue has.

export interface QueueCounts {
  /** Jobs by state: waiting, active, delayed, failed. */
  read(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

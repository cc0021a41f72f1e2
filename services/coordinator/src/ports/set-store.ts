// The port to the data sets that are kept: mappings, by name.
import type { SetInfo } from '@capfleet/shared/contract/api';
import type { TimelinePicture } from '../domain/set-timeline.ts';

export interface SetStore {
  /**
   * Keeps a mapping, line by line as it comes, and puts it in the place of what has the name at once, when it is whole.
   * @throws Failure `dump-invalid`, or what the lines throw; what has the name is unchanged
   */
  put(name: string, lines: AsyncIterable<string>): Promise<SetInfo>;
  /** By name. */
  list(): Promise<readonly SetInfo[]>;
  /** @throws Failure `set-unknown` */
  info(name: string): Promise<SetInfo>;
  /** As they were put, also where another mapping gets the name meanwhile. @throws Failure `set-unknown` */
  lines(name: string): Promise<AsyncIterable<string>>;
  /** How it lies in time; of the same size for any set. @throws Failure `set-unknown` */
  timeline(name: string): Promise<{ readonly info: SetInfo; readonly picture: TimelinePicture }>;
  /** @throws Failure `set-unknown` */
  remove(name: string): Promise<void>;
  close(): void;
}

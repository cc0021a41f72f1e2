// What is known of a mapping that passes by line by line; of each file some hundred bytes are remembered meanwhile.
import type { SetInfo } from '@capfleet/shared/contract/api';
import { spanOfFile } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { DumpReader } from '@capfleet/shared/dataset/gophercap-json';
import type { Span } from '@capfleet/shared/dataset/lanes';
import { formatInstant } from '@capfleet/shared/time/nanos';
import { drawTimeline, type FileOnTimeline, type TimelinePicture } from './set-timeline.ts';

export class SetTally {
  readonly #set: string;
  readonly #reader: DumpReader;
  readonly #timed: FileOnTimeline[] = [];
  #packets = 0;
  #span: Span | null = null;

  constructor(set: string) {
    this.#set = set;
    this.#reader = new DumpReader(set);
  }

  /** @throws Failure `dump-invalid` */
  line(text: string): void {
    const map = this.#reader.line(text);
    if (map) this.#add(map);
  }

  /** @throws Failure `dump-invalid` */
  end(): { readonly info: Omit<SetInfo, 'kept'>; readonly timeline: TimelinePicture } {
    for (const map of this.#reader.end()) this.#add(map);
    const span = this.#span;
    const info = {
      set: this.#set,
      files: this.#timed.length,
      packets: this.#packets,
      beginning: span && formatInstant(span.earliest),
      end: span && formatInstant(span.latest),
    };
    return { info, timeline: drawTimeline(this.#timed) };
  }

  #add(map: FileMap): void {
    if (map.status !== 'ok' && map.status !== 'partial') return;
    const span = spanOfFile(map);
    if (!span) return;
    const { packets, capturedBytes, wireBytes, outOfOrder } = map;
    this.#timed.push({ ...span, packets, capturedBytes, wireBytes, outOfOrder });
    this.#packets += map.packets;
    const known = this.#span ?? span;
    this.#span = {
      earliest: span.earliest < known.earliest ? span.earliest : known.earliest,
      latest: span.latest > known.latest ? span.latest : known.latest,
    };
  }
}

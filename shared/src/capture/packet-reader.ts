// What every capture format gives: packets one after another, without an allocation per packet. The reader owns a
// window of bytes; `advance` moves inside it synchronously, `fill` brings in more. A broken capture ends early and
// says so among its warnings; it never throws for what is in the file.
import type { CaptureWarning } from './warning.ts';

export interface CaptureInfo {
  readonly format: 'pcap';
  readonly byteOrder: 'little' | 'big';
  readonly resolution: 'us' | 'ns';
  readonly compression: 'none' | 'gzip';
  readonly snaplen: number;
  /** LINKTYPE_ value of the file header. */
  readonly linkType: number;
}

export interface PacketReader {
  readonly info: CaptureInfo;

  // The current packet; valid after `advance()` returned true, until the next `advance()` or `fill()`.
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  /** Nanoseconds within the second, 0 … 999,999,999. */
  readonly nanos: number;
  /** Bytes of the packet that the file holds, at `window[dataStart]`. */
  readonly capturedLength: number;
  /** Bytes that the packet had on the wire. */
  readonly wireLength: number;
  readonly window: Buffer;
  readonly dataStart: number;

  /** Moves to the next packet in the window. False: call `fill`. */
  advance(): boolean;
  /** Brings more bytes into the window. False: the capture is over, in order or not (see `warnings`). */
  fill(): Promise<boolean>;
  /** Bytes of the file taken so far. */
  readonly consumed: number;
  warnings(): CaptureWarning[];
  close(): Promise<void>;
}

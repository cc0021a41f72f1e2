// What every capture format gives: packets one after another, without an allocation per packet. The reader owns a
// window of bytes; `advance` moves inside it synchronously, `fill` brings in more. A broken capture ends early and
// says so among its warnings; it never throws for what is in the file.
import type { Compression } from './decompress.ts';
import type { CaptureWarning } from './warning.ts';

/** What the headers read so far say; a pcapng capture may go on to say more until its end. */
export interface CaptureInfo {
  readonly format: 'pcap' | 'pcapng';
  readonly compression: Compression;
  /** `mixed` where sections differ. */
  readonly byteOrder: 'little' | 'big' | 'mixed';
  /** Unit of the stamps: `us`, `ns`, or for other ones of pcapng `10^-N` or `2^-N` s; `mixed` where they differ. */
  readonly resolution: string;
  /** The largest of the interfaces; 0 is no limit. */
  readonly snaplen: number;
  /** LINKTYPE_ values of the file header or of all interfaces, each once, in order of appearance. */
  readonly linkTypes: readonly number[];
}

/** What opening a format needs to know of the file beside its bytes. */
export interface OpenedFile {
  readonly path: string;
  readonly compression: Compression;
  /** Bytes that the reader's window may grow to, where no single packet needs more. */
  readonly largestWindow: number;
}

export interface PacketReader {
  readonly info: CaptureInfo;

  // The current packet; valid after `advance()` returned true, until the next `advance()` or `fill()`.
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  /** Nanoseconds within the second, 0 … 999,999,999. */
  readonly nanos: number;
  /** False for a packet without a stamp (pcapng's simple packets): `seconds` and `nanos` are those before it, or 0. */
  readonly timed: boolean;
  /** LINKTYPE_ value of the packet's interface. */
  readonly linkType: number;
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

// The port to what arrives at the far end of a link, on an interface of this host.

export interface FarEndCapture {
  readonly interface: string;
  /** Takes what still is on its way, ends the capture and tells what it has. */
  stop(): Promise<CapturedFarEnd>;
  /** Ends it, if it has not ended, and removes the file. */
  close(): Promise<void>;
}

export interface CapturedFarEnd {
  /** A capture file, which is there until `close`. */
  readonly path: string;
  readonly packets: number;
  /** Packets that arrived while there was no room for them: how many are missing in the file for that reason. */
  readonly dropped: number;
}

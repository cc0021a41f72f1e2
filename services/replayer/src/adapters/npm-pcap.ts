// The npm package `pcap`, as far as it is used here. It is optional, because it needs libpcap and a C++ compiler, and
// loads only into the main thread of a process.
import { createRequire } from 'node:module';

export interface PcapSession {
  /** Throws without telling why. */
  inject(frame: Buffer): void;
}

export interface PcapCapture {
  readonly link_type: string;
  readonly session: { read_callback(): void };
  /** Called for each packet, which is in the file by then. */
  on_packet_ready(): void;
  stats(): { readonly ps_recv: number; readonly ps_drop: number };
  close(): void;
}

export interface NpmPcap {
  findalldevs(): { readonly name: string }[];
  createSession(
    device: string,
    options: {
      readonly filter: string;
      readonly buffer_size: number;
      readonly snap_length: number;
      readonly promiscuous: boolean;
    },
  ): PcapSession;
  /** What `createSession` makes, with what its types leave out. */
  readonly PcapSession: new (
    live: boolean,
    device: string,
    filter: string,
    bufferBytes: number,
    snapLength: number,
    outFile: string,
    monitor: boolean,
    bufferTimeoutMs: number,
    promiscuous: boolean,
  ) => PcapCapture;
  /** Is told what opening has to say beside an error. */
  warningHandler: (text: string) => void;
}

/** @throws where it is not installed, not built, or loaded in another thread of this process */
export function loadNpmPcap(): NpmPcap {
  const pcap = createRequire(import.meta.url)('pcap') as NpmPcap;
  // An interface without an address is none to complain about.
  pcap.warningHandler = () => undefined;
  return pcap;
}

// The npm package `pcap`, as far as it is used here. It is optional, because it needs libpcap and a C++ compiler, and
// loads only into the main thread of a process.
import { createRequire } from 'node:module';

export interface PcapSession {
  /** Throws without telling why. */
  inject(frame: Buffer): void;
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
  /** Is told what opening has to say beside an error. */
  warningHandler: (text: string) => void;
}

/** @throws where it is not installed, not built, or loaded in another thread of this process */
export function loadNpmPcap(): NpmPcap {
  return createRequire(import.meta.url)('pcap') as NpmPcap;
}

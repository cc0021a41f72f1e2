// The npm package `pcap`, as far as it is used here. It is optional, because it needs libpcap and a C++ compiler, and
// loads only into the main thread of a process.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export interface PcapSender {
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

/** What the package is built on. */
interface PcapBinding {
  readonly PcapSession: new () => PcapSender & {
    open_live(
      device: string,
      filter: string,
      bufferBytes: number,
      snapLength: number,
      outFile: string,
      onPacket: () => void,
      monitor: boolean,
      bufferTimeoutMs: number,
      onWarning: (text: string) => void,
      promiscuous: boolean,
    ): void;
  };
}

/** @throws where it is not installed, not built, or loaded in another thread of this process */
export function loadNpmPcap(): NpmPcap {
  const pcap = require('pcap') as NpmPcap;
  // An interface without an address is none to complain about.
  pcap.warningHandler = () => undefined;
  return pcap;
}

/**
 * A session that sends and never reads. The package's own read as well, and hold the event loop for as long as the
 * process lives, closed or not; what is below it does so only when asked.
 * @throws what libpcap says
 */
export function openPcapSender(device: string): PcapSender {
  const { PcapSession } = require('pcap/build/Release/pcap_binding.node') as PcapBinding;
  const ignore = (): void => undefined;
  const sender = new PcapSession();
  // A session always receives: this one, nothing.
  sender.open_live(device, 'less 0', 65_536, 64, '', ignore, false, 1000, ignore, false);
  return sender;
}

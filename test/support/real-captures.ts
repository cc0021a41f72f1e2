/**
 * Captures that were not made for this project, with what other programs say of them. They lie beside the project, or
 * where CAPFLEET_CAPTURES says, and are no part of it: a test that needs them is skipped, aloud, where they are absent.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FOLDER = process.env['CAPFLEET_CAPTURES'] ?? resolve(import.meta.dirname, '../../../shared/captures');

export interface CaptureTruth {
  status: 'ok' | 'partial' | 'unreadable' | 'disputed';
  packets: number;
  captured_bytes: number;
  wire_bytes: number;
  max_cap_len: number;
  max_wire_len: number;
  /** Seconds since the epoch with nine digits behind the point; null without packets. */
  first_time: string | null;
  last_time: string | null;
  min_time: string | null;
  max_time: string | null;
  backward_steps: number | null;
  untimed_packets: number;
  /** Where the reference readers differ: every value that can be defended. */
  accept?: Record<string, (number | string)[]>;
}

export interface RealCapture {
  path: string;
  file: string;
  size: number;
  compression: string | null;
  /** What the capture's own header says, decompressed. */
  header: {
    format: string;
    endian?: string;
    resolution?: string;
    version?: string;
    snaplen?: number;
    network?: number;
    section_endian?: string[];
    interface_list?: { linktype: number; snaplen: number; tsresol?: number }[];
  };
  truth: CaptureTruth;
}

/** All of them, or the reason why there are none. */
export function realCaptures(): RealCapture[] | string {
  const manifest = join(FOLDER, 'real', 'manifest.json');
  if (!existsSync(manifest)) return `no real captures: ${manifest} is absent (set CAPFLEET_CAPTURES)`;
  const { files } = JSON.parse(readFileSync(manifest, 'utf8')) as { files: Omit<RealCapture, 'path'>[] };
  return files.map((entry) => ({ ...entry, path: join(FOLDER, 'real', 'files', entry.file) }));
}

export interface ThreadsSet {
  folder: string;
  truth: {
    packets: number;
    captured_bytes: number;
    begin: string;
    end: string;
    chains: Record<string, string[]>;
    files: {
      file: string;
      begin: string;
      end: string;
      packets: number;
      captured_bytes: number;
      sha256: string;
    }[];
  };
}

/** One sensor's files, written by four capture threads; or the reason why they are not there. */
export function fourThreads(): ThreadsSet | string {
  const folder = join(FOLDER, 'threads4');
  const truth = join(folder, 'truth.json');
  if (!existsSync(truth)) return `no set of four threads: ${truth} is absent (set CAPFLEET_CAPTURES)`;
  return { folder, truth: JSON.parse(readFileSync(truth, 'utf8')) as ThreadsSet['truth'] };
}

/** `-1.5` or `12.000000001` seconds as nanoseconds, digit by digit. */
export function nanosOf(decimal: string): bigint {
  const [whole = '', fraction = ''] = decimal.replace('-', '').split('.');
  const size = BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  return decimal.startsWith('-') ? -size : size;
}

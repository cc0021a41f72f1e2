// The quick map: when an uncompressed capture begins and ends, and about how much is in it, from one read at each of
// its ends, whatever lies between. Where that can't be shown right the answer is null, and the file is to be read
// whole. What is shown, and what is taken on trust, is in docs/decisions/0007-quick-and-split-map.md.
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { assertUnchanged } from './mapped-file.ts';
import { readStretchBytes } from './pcap-head.ts';
import { quickPcap } from './quick-pcap.ts';
import { quickPcapng } from './quick-pcapng.ts';

/** Read from the start: the file header, the first packet, and packets to estimate from. */
const HEAD_BYTES = 32 * 1024;

export interface QuickMapOptions {
  /**
   * Believe that no packet is longer than the snaplen in the file's header, unless a packet read says otherwise. For a
   * snaplen of 65,535 or less 131 KB are read instead of 328 KB, and a file that breaks its own header may be mapped
   * wrongly: for sources where bytes cost more than that.
   */
  readonly trustSnaplen?: boolean;
}

/**
 * @returns the map with `estimated` set; null where the file is to be read whole, because it is small or compressed,
 *   can't be read, or its end is not beyond doubt
 * @throws Failure where it is retryable
 */
export async function quickMap(
  source: Source,
  file: SourceFile,
  { trustSnaplen = false }: QuickMapOptions = {},
): Promise<MappedFile | null> {
  try {
    const head = await readStretchBytes(source, file, 0, HEAD_BYTES);
    const map =
      (await quickPcap(source, file, head, trustSnaplen)) ??
      (await quickPcapng(source, file, head, trustSnaplen));
    if (map) await assertUnchanged(source, file);
    return map;
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) return null;
    throw thrown;
  }
}

// What a member's headers say: the member's own block with the extension records before it (pax, GNU long names),
// decoded by tar-stream. Each group gets a decoder of its own, which sees headers only and never a member's data, so
// that who walks the archive knows the place of every byte and copies none of them twice.
import { extract, type Header } from 'tar-stream';
import { SECOND, type Nanos } from '../time/nanos.ts';

export const BLOCK_BYTES = 512;
const SIZE_AT = 124;
const SIZE_BYTES = 12;
const TYPE_AT = 156;
const OLD_SPARSE_CONTINUES_AT = 482;
const SPARSE_BLOCK_CONTINUES_AT = 504;
/** The year 10,000. */
const END_OF_TIME = 253_402_300_800n * SECOND;

export type MemberType =
  'file' | 'folder' | 'symbolic link' | 'hard link' | 'device' | 'fifo' | 'sparse file' | 'special entry';

export interface TarHeader {
  readonly name: string;
  readonly type: MemberType;
  /** Bytes of data that follow the header. */
  readonly size: number;
  /** Modification time; null where the archive gives none that makes sense. */
  readonly mtime: Nanos | null;
}

/** Archives from before the magic was agreed on have a checksum all the same. */
const decoderOptions: Parameters<typeof extract>[0] & { allowUnknownFormat: boolean } = {
  allowUnknownFormat: true,
};

const types: Readonly<Record<string, MemberType>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'folder',
  symlink: 'symbolic link',
  link: 'hard link',
  'character-device': 'device',
  'block-device': 'device',
  fifo: 'fifo',
};
const withData: ReadonlySet<MemberType> = new Set(['file', 'sparse file', 'special entry']);

/**
 * What a header block stands for, before anything in it is trusted: `extension` is about the member that follows,
 * `global` about all that follow.
 */
export function kindOf(block: Buffer): 'zero' | 'extension' | 'global' | 'old sparse' | 'member' {
  switch (String.fromCharCode(block[TYPE_AT] as number)) {
    case 'x':
    case 'L':
    case 'K':
    case 'N':
      return 'extension';
    case 'g':
      return 'global';
    case 'S':
      return 'old sparse';
    case '\0':
      return block.every((byte) => byte === 0) ? 'zero' : 'member';
    default:
      return 'member';
  }
}

/** Size of an extension record; null where it is no number, or one above 8 GiB. */
export function extensionSize(block: Buffer): number | null {
  const [digits] =
    /^ *([0-7]{1,12})(?=[ \0]|$)/.exec(block.toString('latin1', SIZE_AT, SIZE_AT + SIZE_BYTES)) ?? [];
  return digits === undefined ? null : Number.parseInt(digits, 8);
}

/** True where a block of an old GNU sparse map follows this one: the member's header, or a block of the map. */
export function oldSparseMapContinues(block: Buffer, is: 'header' | 'map'): boolean {
  return block[is === 'header' ? OLD_SPARSE_CONTINUES_AT : SPARSE_BLOCK_CONTINUES_AT] !== 0;
}

/**
 * @param blocks extension records, then the member's header block
 * @throws Error with the reason, where they are no headers
 */
export async function decodeHeader(blocks: Buffer, kind: 'member' | 'old sparse'): Promise<TarHeader> {
  const header = await decode(blocks);
  // Records of a pax header, as text.
  const pax = (header.pax ?? {}) as Readonly<Record<string, string | undefined>>;
  const sparse = kind === 'old sparse' || Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'));
  const type = sparse ? 'sparse file' : (types[header.type] ?? 'special entry');
  const size = withData.has(type) ? header.size : 0;
  if (!Number.isSafeInteger(size) || size < 0) throw new Error(`a member's size is no number of bytes`);
  return {
    name: pax['GNU.sparse.name'] ?? header.name,
    type,
    size,
    mtime: mtimeOf(pax['mtime'], header.mtime),
  };
}

function decode(blocks: Buffer): Promise<Header> {
  return new Promise((resolve, reject) => {
    const decoder = extract(decoderOptions);
    decoder.on('entry', (header, data) => {
      resolve(header);
      // Its data never come; that it ends without them is no error.
      data.on('error', () => undefined);
      decoder.destroy();
    });
    decoder.on('error', (error) => {
      reject(new Error('what should be a header is none', { cause: error }));
    });
    decoder.on('close', () => {
      reject(new Error('there are headers and no member'));
    });
    decoder.end(blocks);
  });
}

/** pax tells more than whole seconds. What lies outside of the years 1970 to 9999 is no time of a file. */
function mtimeOf(pax: string | undefined, header: Date): Nanos | null {
  const [, seconds, fraction = ''] = /^(\d{1,12})(?:\.(\d*))?$/.exec(pax ?? '') ?? [];
  const time =
    seconds === undefined
      ? wholeSeconds(header.getTime())
      : BigInt(seconds) * SECOND + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return time !== null && time >= 0n && time < END_OF_TIME ? time : null;
}

function wholeSeconds(milliseconds: number): Nanos | null {
  return Number.isNaN(milliseconds) ? null : BigInt(Math.floor(milliseconds / 1000)) * SECOND;
}

// Finds the kind of place a mapping or a plan is to be written to.
import { readFully } from '@capfleet/shared/capture/byte-reader';
import { Failure } from '@capfleet/shared/errors/failure';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import type { Source } from '@capfleet/shared/source/source';
import { claimFile } from './atomic-file.ts';
import type { DumpTarget } from './dump-target.ts';
import { claimObject } from './s3-object.ts';

const HEAD_BYTES = 4096;

/** What may be replaced: the option that names it, what it is called, and how it begins. */
export interface ReplaceableKind {
  readonly setting: string;
  readonly what: string;
  readonly begins: RegExp;
}

export const mappingKind: ReplaceableKind = {
  setting: '--dump-json',
  what: 'mapping',
  begins: /^\s*\{\s*"(beginning|end|files|capfleet)"/,
};

export const planKind: ReplaceableKind = {
  setting: '--out',
  what: 'plan',
  begins: /^(#[^\n]*\n|\s|\{)*"?capfleetPlan"?:/,
};

/**
 * Looks whether what is there may be replaced: nothing, an empty file, or what begins like one of its kind.
 * @throws Failure `dump-foreign`, `s3-…`
 */
export async function checkReplaceable(path: string, kind: ReplaceableKind, source: Source): Promise<void> {
  let head: Buffer;
  try {
    const bytes = await source.open(await source.stat(path), { length: HEAD_BYTES });
    try {
      const buffer = Buffer.alloc(HEAD_BYTES);
      head = buffer.subarray(0, await readFully(bytes, buffer));
    } finally {
      await bytes.close();
    }
  } catch (thrown) {
    // What cannot be read is told by who tries to write there.
    if (thrown instanceof Failure && !thrown.code.startsWith('s3-')) return;
    throw thrown;
  }
  const { setting, what, begins } = kind;
  if (head.length > 0 && !begins.test(head.toString()))
    throw new Failure('dump-foreign', { path, what, setting });
}

/**
 * Tries, as far as the place allows, whether it can be written, before any work is done for it.
 * @throws Failure `dump-unwritable`, `s3-…`
 */
export async function claimDump(path: string, s3: S3Options): Promise<DumpTarget> {
  return isS3Path(path) ? claimObject(path, s3) : claimFile(path);
}

// Finds the kind of place a mapping is to be written to.
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import { claimFile } from './atomic-file.ts';
import type { DumpTarget } from './dump-target.ts';
import { claimObject } from './s3-object.ts';

/**
 * Tries, as far as the place allows, whether it can be written, before any work is done for it.
 * @throws Failure `dump-unwritable`, `s3-…`
 */
export async function claimDump(path: string, s3: S3Options): Promise<DumpTarget> {
  return isS3Path(path) ? claimObject(path, s3) : claimFile(path);
}

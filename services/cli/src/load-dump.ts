// Reads a mapping line by line, so that its size is bounded by what its files need and not by its text.
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { DumpReader } from '@capfleet/shared/dataset/gophercap-json';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';

const BLOCK_BYTES = 256 * 1024;

/** @throws Failure `dump-missing`, `dump-invalid`, `file-forbidden`, `s3-…` */
export async function loadDump(path: string, source: Source): Promise<DataSet> {
  const maps: FileMap[] = [];
  for await (const map of mapsOfDump(path, source)) maps.push(map);
  return buildDataSet(maps);
}

/**
 * The maps of a dump, one by one.
 * @throws Failure `dump-missing`, `dump-invalid`, `file-forbidden`, `s3-…`; also behind some that were well
 */
export async function* mapsOfDump(path: string, source: Source): AsyncGenerator<FileMap> {
  const reader = new DumpReader(path);
  for await (const line of linesOf(path, source)) {
    const map = reader.line(line);
    if (map) yield map;
  }
  yield* reader.end();
}

async function* linesOf(path: string, source: Source): AsyncGenerator<string> {
  try {
    const bytes = await source.open(await source.stat(path));
    try {
      const input = Readable.from(blocksOf(bytes));
      yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    } finally {
      await bytes.close();
    }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    if (thrown.code === 'file-missing') throw new Failure('dump-missing', { path }, { cause: thrown });
    if (thrown.code !== 'read-failed') throw thrown;
    throw new Failure('dump-invalid', { path, reason: String(thrown.fields['reason']) }, { cause: thrown });
  }
}

async function* blocksOf(bytes: ByteReader): AsyncGenerator<Buffer> {
  for (;;) {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const count = await bytes.read(block, 0, block.length);
    if (count === 0) return;
    yield block.subarray(0, count);
  }
}

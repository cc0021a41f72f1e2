/** Maps of files that need not exist, for what works on maps alone. Left-out parts are those of a plain pcap. */
import type { FailedFile, MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';

/** @param span earliest and latest instant in ns; null for a capture without a packet */
export function mappedFile(
  name: string,
  span: readonly [bigint | number, bigint | number] | null,
  rest: Partial<MappedFile> = {},
): MappedFile {
  const [earliest, latest] = span ? [String(span[0]), String(span[1])] : [null, null];
  return {
    path: `/data/${name}`,
    name,
    fileSize: 1024,
    version: '1600000000000000000',
    status: 'ok',
    format: 'pcap',
    compression: 'none',
    byteOrder: 'little',
    resolution: 'us',
    snaplen: 65535,
    linkTypes: [1],
    packets: span ? 2 : 0,
    capturedBytes: span ? 120 : 0,
    wireBytes: span ? 130 : 0,
    maxCaptured: span ? 60 : 0,
    maxWire: span ? 65 : 0,
    outOfOrder: 0,
    first: earliest,
    last: latest,
    earliest,
    latest,
    warnings: [],
    ...rest,
  };
}

export function failedMap(name: string): FailedFile {
  const path = `/data/${name}`;
  return {
    path,
    name,
    fileSize: 0,
    version: '1',
    status: 'failed',
    error: new Failure('capture-empty', { path }).toRecord(),
  };
}

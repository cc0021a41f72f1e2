// The objects below a prefix, page by page: the next page is asked for when this one is used up, so that memory is
// that of one page however many there are. A folder is what a path with `/` makes one; the empty objects named
// `folder/` by which some programs mark folders are no files.
import type { ListObjectsV2CommandOutput, _Object } from '@aws-sdk/client-s3';
import { Failure } from '../../errors/failure.ts';
import { matches, type SourceFile, type SourceFilter } from '../source.ts';
import { formatS3Path, parseS3Path, prefixOf } from './s3-path.ts';
import { unquoted } from './s3-stretch.ts';

/** Asks for one page of keys that begin with a prefix. */
export type AskPage = (question: {
  readonly Bucket: string;
  readonly Prefix: string;
  readonly EncodingType: 'url';
  readonly ContinuationToken?: string;
}) => Promise<ListObjectsV2CommandOutput>;

/**
 * The objects below the prefix that the filter lets through; where there is none at all, the object of that name.
 * @param objectAt tells of one object
 * @throws Failure `folder-missing`
 */
export async function* listObjects(
  folder: string,
  filter: SourceFilter,
  ask: AskPage,
  objectAt: (path: string) => Promise<SourceFile>,
): AsyncIterable<SourceFile> {
  const { bucket, key } = parseS3Path(folder);
  const prefix = prefixOf(key);
  let keys = 0;
  let token: string | undefined;
  do {
    const page = await ask({
      Bucket: bucket,
      Prefix: prefix,
      // XML cannot carry every character of a key.
      EncodingType: 'url',
      ...(token !== undefined && { ContinuationToken: token }),
    });
    for (const object of page.Contents ?? []) {
      keys += 1;
      const file = describe(object, page.EncodingType === 'url', bucket, prefix);
      if (file && matches(file.path, filter)) yield file;
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    if (page.IsTruncated === true && token === undefined) {
      const reason = 'the listing is cut off, and the server does not say how to go on';
      throw new Failure('s3-rejected', { path: folder, reason });
    }
  } while (token !== undefined);
  if (keys > 0 || prefix === '') return;
  yield await objectAt(folder).catch((thrown: unknown) => {
    if (!(thrown instanceof Failure) || thrown.code !== 'file-missing') throw thrown;
    throw new Failure('folder-missing', { path: folder, setting: '--source or --dir-src' });
  });
}

function describe(
  { Key: listed = '', Size: size = 0, ETag: etag }: _Object,
  encoded: boolean,
  bucket: string,
  prefix: string,
): SourceFile | null {
  const key = encoded ? decodeKey(listed) : listed;
  if (key === prefix || (key.endsWith('/') && size === 0)) return null;
  return {
    path: formatS3Path({ bucket, key }),
    name: key.slice(prefix.length),
    size,
    version: unquoted(etag),
  };
}

/** AWS writes a space as `+`, others as `%20`. A key that is no UTF-8 cannot be asked for: it fails when it is read. */
function decodeKey(key: string): string {
  const plain = key.replaceAll('+', ' ');
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}

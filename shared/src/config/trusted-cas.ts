// Authorities whose certificates are accepted beside those that come with Node, by all that speak TLS in this process, its
// threads and its children. NODE_EXTRA_CA_CERTS does the same, except in a Node with file capabilities, which a replayer's
// may be: such a one ignores the variable.
import * as tls from 'node:tls';
import { Failure, reasonOf } from '../errors/failure.ts';
import { MOST_PEM_BYTES, readSmallFile } from './small-file.ts';

const VARIABLE = 'CAPFLEET_CA_FILE';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Must come before the first connection.
 * @param paths PEM files
 * @throws Failure `ca-file-invalid`
 */
export function trustAlso(paths: readonly string[]): void {
  const certificates = paths.flatMap((path) => {
    const found = read(path).match(CERTIFICATE);
    if (!found) throw new Failure('ca-file-invalid', { path, reason: 'it holds no PEM certificate' });
    return found;
  });
  const list = paths.join(',');
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...certificates]);
  } catch (error) {
    throw new Failure('ca-file-invalid', { path: list, reason: reasonOf(error) }, { cause: error });
  }
  process.env[VARIABLE] = list;
}

/** For the first lines of a thread or process that connects: what its parent trusts is not handed on by itself. */
export function trustAsParent(): void {
  const list = process.env[VARIABLE];
  if (list) trustAlso(list.split(','));
}

function read(path: string): string {
  try {
    return readSmallFile(path, MOST_PEM_BYTES).toString('latin1');
  } catch (error) {
    throw new Failure('ca-file-invalid', { path, reason: reasonOf(error) }, { cause: error });
  }
}

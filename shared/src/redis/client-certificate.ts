// The certificate that a client shows. It is read again for each connection, since short-lived ones are renewed in their
// place while a service runs.
import { createSecureContext, type SecureContext } from 'node:tls';
import { MOST_PEM_BYTES, readSmallFile } from '../config/small-file.ts';
import { Failure, reasonOf } from '../errors/failure.ts';
import type { ClientCertificate } from './redis-url.ts';

/** Options of TLS, as the client of Redis reads them before it connects. */
export interface ClientSecurity {
  readonly secureContext?: SecureContext;
}

/** @throws Failure `redis-certificate-invalid` */
export function clientSecurity(certificate: ClientCertificate | null): ClientSecurity {
  if (!certificate) return {};
  let latest = contextOf(certificate);
  return {
    get secureContext() {
      try {
        latest = contextOf(certificate);
      } catch {
        // Half-way through its renewal it is not whole; the server says what it thinks of the one before.
      }
      return latest;
    },
  };
}

function contextOf({ cert, key }: ClientCertificate): SecureContext {
  try {
    return createSecureContext({ cert: pem(cert), key: pem(key) });
  } catch (error) {
    throw new Failure('redis-certificate-invalid', { cert, key, reason: reasonOf(error) }, { cause: error });
  }
}

function pem(path: string): Buffer {
  return readSmallFile(path, MOST_PEM_BYTES);
}

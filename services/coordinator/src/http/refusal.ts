// What is answered to a request that fails: a row of the table of errors, never a stack.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';

const MOST_ISSUES = 3;

export function refuse(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = failureOf(error, request);
  if (failure.status >= 500) request.log.error({ err: error, url: request.url }, 'a request failed');
  if (failure.status === 401) reply.header('www-authenticate', 'Bearer');
  // Who is refused halfway through a body may still send the rest of it.
  if (failure.status === 413) reply.header('connection', 'close');
  return reply
    .code(failure.status)
    .type('application/json')
    .send({ error: answerable(failure) });
}

/** What is a bug here is in the log, and nobody else's business. */
function answerable(failure: Failure): object {
  const isInternal = failure.code === 'internal';
  return (
    isInternal ? new Failure('internal', { reason: 'see the log of the coordinator' }) : failure
  ).toRecord();
}

function failureOf(error: FastifyError, { headers, routeOptions }: FastifyRequest): Failure {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const { validation, validationContext = 'request' } = error;
    const told = validation
      .slice(0, MOST_ISSUES)
      .map(({ instancePath, message }) => `${validationContext}${instancePath}: ${message ?? ''}`);
    const more =
      validation.length > MOST_ISSUES ? `, and ${String(validation.length - MOST_ISSUES)} more` : '';
    return new Failure('request-invalid', { reason: told.join('; ') + more });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Failure('request-too-large', { limit: routeOptions.bodyLimit });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Failure('content-type-unknown', { type: headers['content-type'] ?? 'of no kind' });
  }
  const status = error.statusCode ?? 500;
  if (!(error instanceof Failure) && status >= 400 && status < 500)
    return new Failure('request-invalid', { reason: error.message }, { cause: error });
  return asFailure(error);
}

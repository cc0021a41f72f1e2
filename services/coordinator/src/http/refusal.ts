// What is answered to a request that fails: a row of the table of errors, never a stack.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';

const MOST_ISSUES = 3;

export function refuse(error: FastifyError | Failure, request: FastifyRequest, reply: FastifyReply): void {
  const failure = failureOf(error, request);
  if (failure.status >= 500) request.log.error({ err: error, url: request.url }, 'a request failed');
  if (failure.status === 401) reply.header('www-authenticate', 'Bearer');
  // Who is refused halfway through a body may still send the rest of it.
  if (failure.status === 413) reply.header('connection', 'close');
  void reply
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

function failureOf(error: FastifyError | Failure, { headers, routeOptions }: FastifyRequest): Failure {
  if (error instanceof Failure) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const { validation, validationContext = 'request' } = error;
    const issues = validation.flatMap(({ instancePath, message, params }) =>
      told(instancePath, message ?? '', params['errors']),
    );
    const more = issues.length > MOST_ISSUES ? `, and ${String(issues.length - MOST_ISSUES)} more` : '';
    const shown = issues.slice(0, MOST_ISSUES).map((issue) => validationContext + issue);
    return new Failure('request-invalid', { reason: shown.join('; ') + more });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Failure('request-too-large', { limit: routeOptions.bodyLimit });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Failure('content-type-unknown', { type: headers['content-type'] ?? 'of no kind' });
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500)
    return new Failure('request-invalid', { reason: error.message }, { cause: error });
  return asFailure(error);
}

/**
 * Of a choice between forms, what is amiss inside of the one that was meant, or with a text that none of them takes; else
 * that it is none of them.
 */
function told(path: string, message: string, forms: unknown): string[] {
  const issues = forms as z.core.$ZodIssue[][] | undefined;
  const meant =
    issues?.find(([first]) => first && first.path.length > 0) ??
    issues?.find(([first]) => first && first.code !== 'invalid_type');
  if (!meant) return [`${path}: ${message}`];
  return meant.map((issue) => `${[path, ...issue.path].join('/')}: ${issue.message}`);
}

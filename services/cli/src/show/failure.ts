// A failure for people: what happened, and the way out.
import type { Failure } from '@capfleet/shared/errors/failure';
import { printable } from './text.ts';

export function showFailure({ message, hint }: Failure): string {
  return `capfleet: ${printable(message)}\n${hint === '' ? '' : `          ${printable(hint)}\n`}`;
}

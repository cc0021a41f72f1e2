/** What the coordinator refused, in its own words; status 0: it did not answer. */
export class Refused extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, message: string, hint = '') {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

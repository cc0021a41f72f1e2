/** What the coordinator refused, in its own words; status 0: it did not answer. */
export class Refused extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, message: string, hint = '') {
    super(message);
    this.status = status;
    this.hint = hint;
  }

  /** With that hint, where it is not the coordinator that says no: nobody knows then whether it was heard. */
  hinted(hint: string): Refused {
    const isItsWord = this.hint !== '' || (this.status > 0 && this.status < 500);
    return isItsWord ? this : new Refused(this.status, this.message, hint);
  }
}

// Takes secrets out of text that is about to be logged: those that the process knows, wherever they stand, and what has the
// form of one. The last line of defence: who logs does not log secrets.

const HIDDEN = '***';

/** Forms of secrets, and what stays of them. */
const forms: readonly (readonly [RegExp, string])[] = [
  // In URLs: user:password@
  [/(\/\/[^:@/\s"]*):[^@/\s"]+@/g, `$1:${HIDDEN}@`],
  // Presigned URLs of S3.
  [/\b(X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=[^&\s"\\]+/gi, `$1=${HIDDEN}`],
  // Headers.
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, `$1 ${HIDDEN}`],
  [/\b(Credential|Signature)=[^,&\s"\\]+/g, `$1=${HIDDEN}`],
];

/** @param secrets as they are; empty ones are none */
export function scrubber(secrets: readonly string[]): (text: string) => string {
  const written = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
    // One that holds another goes first.
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const secret of new Set(written)) clean = clean.replaceAll(secret, HIDDEN);
    for (const [form, rest] of forms) clean = clean.replace(form, rest);
    return clean;
  };
}

/** Of the AWS SDK, where it finds them first. */
export function secretsOfAws(environment: Readonly<Record<string, string | undefined>>): string[] {
  return ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].flatMap((name) => environment[name] ?? []);
}

// Control characters in texts from outside: a terminal would obey them, and a newline would make a line of its own.

/** As `\x1b`, those of C1 too. */
export function escapeControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the ones
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** In a line of JSON, which has escaped the others; it stays the same JSON. */
export function escapeLeftControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f]/g,
    (control) => `\\u00${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The same in a line of JSON that will be shown as text. Stacks of errors keep their lines. */
export function escapeControlsIn(json: string): string {
  return JSON.stringify(JSON.parse(json), (key, value: unknown) => {
    if (typeof value !== 'string') return value;
    return key === 'stack' ? value.split('\n').map(escapeControls).join('\n') : escapeControls(value);
  });
}

// Text that comes in pieces, as lines; only the line at hand is held.

export async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string> {
  // Joined at the end of a line alone: one of many pieces would be copied with each of them.
  let begun: string[] = [];
  for await (const piece of text) {
    const lines = piece.split('\n');
    const last = lines.pop() ?? '';
    const [first, ...others] = lines;
    if (first !== undefined) {
      yield begun.join('') + first;
      yield* others;
      begun = [];
    }
    if (last !== '') begun.push(last);
  }
  if (begun.length > 0) yield begun.join('');
}

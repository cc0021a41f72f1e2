/**
 * The commands that a page of the documentation shows: its `sh` blocks, fenced or indented by four spaces, and the command
 * lines in them. It knows as much of the shell as the pages use: quotes, comments, continued lines, operators, redirections.
 */

export interface CommandBlock {
  /** Of the first line of the block, from 1. */
  readonly line: number;
  readonly text: string;
  /** Why no test runs it, as `<!-- not run: … -->` before it says; null where nothing says so. */
  readonly notRun: string | null;
}

const NOT_RUN = /^<!-- not run: (.+) -->$/;

/** @param markdown a page as prettier writes it */
export function commandBlocks(markdown: string): CommandBlock[] {
  const lines = markdown.split('\n');
  const blocks: CommandBlock[] = [];
  let before = '';
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const fence = /^( *)```(\w*)/.exec(line);
    const isIndented = fence === null && /^ {4}\S/.test(line) && (lines[at - 1] ?? '') === '';
    if (!fence && !isIndented) {
      if (line !== '') before = line;
      continue;
    }
    const first = fence ? at + 1 : at;
    let end = first;
    while (end < lines.length && (fence ? !/^ *```/.test(lines[end] ?? '') : /^ {4}/.test(lines[end] ?? '')))
      end += 1;
    const text = lines.slice(first, end).join('\n');
    if (isIndented || fence?.[2] === 'sh')
      blocks.push({ line: first + 1, text, notRun: NOT_RUN.exec(before)?.[1] ?? null });
    at = fence ? end : end - 1;
    before = '';
  }
  return blocks;
}

/** What stands in `code` within the text, not in blocks. */
export function inlineCode(markdown: string): string[] {
  const prose = markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll(/\s+/g, ' '));
}

/** The words of each simple command in a script, without redirections. */
export function simpleCommands(script: string): string[][] {
  const token =
    /\\\n|[^\S\n]+|#.*|(?<redirect>\d?[<>]+&?[^\S\n]*\S+)|(?<operator>&&|\|\||[;|&\n])|(?<word>(?:\$\([^)]*\)|'[^']*'|"[^"]*"|\\[^\n]|[^\s'"\\;|&<>])+)/gy;
  const found: string[][] = [];
  let words: string[] = [];
  for (const { groups } of script.matchAll(token)) {
    if (groups?.['word'] !== undefined) words.push(unquoted(groups['word']));
    else if (groups?.['operator'] !== undefined) {
      found.push(words);
      words = [];
    }
  }
  return [...found, words].filter(({ length }) => length > 0);
}

function unquoted(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"([^"]*)"|\\(.)/g,
    (_, a?: string, b?: string, c?: string) => a ?? b ?? c ?? '',
  );
}

const BEFORE = [
  /^[A-Za-z_]\w*=\S*( |$)/,
  /^(sudo|time|nohup|exec) /,
  /^ip netns exec \S+ /,
  /^npx /,
  /^docker compose run --rm cli (?=\S)/,
];

/** What `capfleet` is given where a command starts it, else null. */
export function capfleetArguments(words: readonly string[]): readonly string[] | null {
  let rest = [...words];
  for (let isMore = true; isMore;) {
    const found = BEFORE.map((pattern) => pattern.exec(rest.join(' '))?.[0] ?? '').find(
      (text) => text !== '',
    );
    isMore = found !== undefined;
    if (found === undefined) break;
    rest = rest.slice(found.trim().split(' ').length);
    if (found.startsWith('docker')) return rest;
  }
  const [program = '', ...args] = rest;
  return /^(\S*\/)?capfleet(\.mjs)?$/.test(program) ? args : null;
}

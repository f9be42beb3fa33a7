/**
 * Makes text from a host safe for any screen, journal or report: every character that could
 * move a cursor, colour, hide or reorder text becomes a visible escape (`\x1b`, `\u202e`).
 *
 * C0, DEL, C1; bidi controls; zero-width and invisible characters; line and paragraph separators;
 * tag and variation-selector characters; lone surrogates; private use. Tabs and newlines are escaped too:
 * whoever wants lines splits first.
 */
export const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: the invisible marks are listed one by one
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}\u{f0000}-\u{10ffff}]/gu;

export function printable(text: string, maxLength = 400): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
    return `\\u{${code.toString(16)}}`;
  });
}

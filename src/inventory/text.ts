import type { Node } from './document.ts';
import { readJson } from './json.ts';
import { mistake } from './mistake.ts';
import { readYaml } from './yaml.ts';

/** The text of a file. Throws a UsageError with the line of the first bytes that are not UTF-8. */
export function decode(bytes: Buffer, file: string): string {
  const text = bytes.toString('utf8');
  const bad = text.includes('\ufffd') && !bytes.equals(Buffer.from(text, 'utf8'));
  if (!bad) return text.replace(/^\ufeff/, '');
  // Comments may be in whatever encoding their author had.
  const line = text.split('\n').findIndex((each) => each.includes('\ufffd') && !/^\s*[#;]/.test(each)) + 1;
  if (line === 0) return text;
  throw mistake({ file, line }, 'this line is not UTF-8', 'Convert the file to UTF-8.');
}

/**
 * A JSON or YAML document; JSON is tried first, as Ansible does, since it means numbers differently.
 * Throws a UsageError when it is neither.
 */
export function readDocument(text: string, file: string): Node {
  const json = /^\s*[[{]/.test(text) ? readJson(text, file) : undefined;
  if (json?.kind === 'document') return json.root;
  try {
    return readYaml(text, file);
  } catch (error) {
    // Broken JSON is usually broken YAML as well, but is better told as what it was meant to be.
    if (json !== undefined && file.endsWith('.json'))
      throw mistake(json.origin, `not JSON: ${json.why}`, 'Check the quotes, commas and brackets around that line.');
    throw error;
  }
}

import type { Graph, GroupNode } from './graph.ts';
import { literalValue } from './literal.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { parseHostPattern } from './range.ts';
import { splitWords } from './words.ts';

const SECTION = /^\[([^:\]\s]+)(?::([\p{L}\p{N}_]+))?\]\s*(?:#.*)?$/u;
const CHILD = /^([^:\]\s]+)\s*(?:#.*)?$/;
/** Whatever Python takes for the end of a line, form feeds included. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what ends a line
const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
const SECTION_HINT = 'A section is [GROUP], [GROUP:vars] or [GROUP:children]; only a # comment may follow it.';

type Section = { readonly kind: 'hosts' | 'vars' | 'children'; readonly group: GroupNode };
/** A group that something refers to before the file declares it. */
type Pending =
  | { readonly kind: 'vars'; readonly origin: Origin }
  | { readonly kind: 'child'; readonly parents: { readonly group: GroupNode; readonly origin: Origin }[] };

/**
 * Reads an INI inventory into the graph. Throws a UsageError with the line for whatever Ansible rejects:
 * a bad section, a host line that is none, a variable without `=`, a child or a `:vars` whose group
 * is declared nowhere in the file.
 */
export function readIni(text: string, file: string, graph: Graph): void {
  const reader = new IniReader(graph);
  const lines = text.replace(/^\ufeff/, '').split(LINE_END);
  for (const [index, line] of lines.entries()) reader.line(line.trim(), { file, line: index + 1 });
  reader.end();
}

class IniReader {
  private readonly graph: Graph;
  private readonly pending = new Map<string, Pending>();
  private section: Section;

  constructor(graph: Graph) {
    this.graph = graph;
    this.section = { kind: 'hosts', group: graph.groups.get('ungrouped')! };
  }

  line(line: string, origin: Origin): void {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    const header = SECTION.exec(line);
    if (header !== null) this.header(header[1] ?? '', header[2] ?? 'hosts', origin);
    else if (
      line.startsWith('[') &&
      (line.endsWith(']') || this.section.kind !== 'hosts' || /^\[[^\]]*\]\s/.test(line))
    )
      throw mistake(origin, `${quoted(line)} is not a section`, SECTION_HINT);
    else if (this.section.kind === 'hosts') this.hostLine(line, this.section.group, origin);
    else if (this.section.kind === 'vars') this.variable(line, this.section.group, origin);
    else this.child(line, this.section.group, origin);
  }

  private header(name: string, kind: string, origin: Origin): void {
    if (kind !== 'hosts' && kind !== 'vars' && kind !== 'children')
      throw mistake(origin, `[${name}:${kind}] is not a kind of section`, SECTION_HINT);
    const isNew = !this.graph.groups.has(name);
    if (isNew && kind === 'vars' && !this.pending.has(name)) this.pending.set(name, { kind: 'vars', origin });
    const group = this.graph.addGroup(name, origin);
    const awaited = this.pending.get(name);
    if (awaited !== undefined && kind !== 'vars') {
      if (awaited.kind === 'child')
        for (const parent of awaited.parents) this.graph.addChild(parent.group, group, parent.origin);
      this.pending.delete(name);
    }
    this.section = { kind, group };
  }

  private hostLine(line: string, group: GroupNode, origin: Origin): void {
    const split = splitWords(line, 'comments');
    if (split.kind === 'broken')
      throw mistake(origin, `${split.why} in this host line`, 'Quote the value, or escape it with a backslash.');
    const [pattern = '', ...assignments] = split.words;
    if (pattern === '---' || pattern.endsWith(':'))
      throw mistake(
        origin,
        `${quoted(pattern)} is not a host name`,
        'This looks like YAML: name the file .yaml or .yml.',
      );
    const variables = assignments.map((word) => assignment(word, origin));
    const { names, port } = parseHostPattern(pattern, origin);
    for (const name of names) {
      const host = this.graph.addHost(name, group, origin, port);
      for (const [key, value] of variables)
        this.graph.setHostVariable(host, key, { value: literalValue(value), origin });
    }
  }

  private variable(line: string, group: GroupNode, origin: Origin): void {
    const [key, value] = assignment(line, origin);
    this.graph.setGroupVariable(group, key, { value: literalValue(value.trim()), origin });
  }

  private child(line: string, parent: GroupNode, origin: Origin): void {
    const name = CHILD.exec(line)?.[1];
    if (name === undefined)
      throw mistake(
        origin,
        `${quoted(line)} is not a group name`,
        'A :children section has one group name a line, and no variables.',
      );
    const child = this.graph.groups.get(name);
    const awaited = this.pending.get(name);
    if (child !== undefined) this.graph.addChild(parent, child, origin);
    else if (awaited?.kind === 'child') awaited.parents.push({ group: parent, origin });
    else this.pending.set(name, { kind: 'child', parents: [{ group: parent, origin }] });
  }

  end(): void {
    for (const [name, awaited] of this.pending) {
      if (awaited.kind === 'vars')
        throw mistake(
          awaited.origin,
          `[${name}:vars] is for a group that is not declared`,
          `Declare it with [${name}] or [${name}:children].`,
        );
      const [first] = awaited.parents;
      if (first !== undefined)
        throw mistake(
          first.origin,
          `${quoted(name)}, a child of ${quoted(first.group.name)}, is not declared`,
          `Declare it with [${name}] or [${name}:children].`,
        );
    }
  }
}

function assignment(text: string, origin: Origin): [string, string] {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(0, equals)).trim();
  if (equals < 0 || key === '')
    throw mistake(
      origin,
      `${quoted(text)} is not KEY=VALUE`,
      'A line has one host and then variables; a variable has no spaces around "=".',
    );
  return [key, text.slice(equals + 1)];
}

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { type Entry, EntryList, MAX_NODES, type Node } from './document.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { floatScalar, integerScalar, plainScalar } from './yaml-scalar.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what YAML does not allow
const NOT_YAML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;
const YAML_HINT = 'Check the indentation and the quotes around that line.';

/**
 * Reads one YAML 1.1 document with the line of everything; an empty one is null.
 * Throws a UsageError for a syntax error, a second document, a duplicate key, an unknown tag,
 * an alias that contains itself or expands without bound.
 */
export function readYaml(text: string, file: string): Node {
  const control = text.search(NOT_YAML);
  if (control >= 0)
    throw mistake(
      { file, line: text.slice(0, control).split('\n').length },
      'a control character',
      'Write it as an escape in double quotes, or remove it.',
    );
  const lines = new LineCounter();
  // Scalars are left as text ("failsafe") and resolved here: the library's own YAML 1.1 differs from PyYAML's.
  const documents = parseAllDocuments<ParsedNode>(text, {
    version: '1.1',
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const where = (offset: number): Origin => ({ file, line: lines.linePos(offset).line || 1 });
  if (!Array.isArray(documents) || documents.length === 0)
    return { kind: 'scalar', origin: { file, line: 1 }, value: null };
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) throw mistake(where(error.pos[0]), `not YAML: ${error.message}`, YAML_HINT);
  }
  const [document, second] = documents;
  if (second !== undefined)
    throw mistake(where(second.range[0]), 'a second YAML document begins here', 'Put each inventory in its own file.');
  return new YamlReader(document as Document.Parsed, where).read();
}

class YamlReader {
  private readonly document: Document.Parsed;
  private readonly where: (offset: number) => Origin;
  private readonly open = new Set<unknown>();
  // Looked up here rather than by the library, which searches the whole document for every alias.
  private readonly anchors = new Map<string, ParsedNode>();
  private inAliases = 0;
  private expanded = 0;

  constructor(document: Document.Parsed, where: (offset: number) => Origin) {
    this.document = document;
    this.where = where;
  }

  read(): Node {
    return this.node(this.document.contents, this.where(0));
  }

  private node(node: unknown, parent: Origin): Node {
    const range = (node as ParsedNode | null)?.range;
    const origin = range ? this.where(range[0]) : parent;
    if (this.inAliases > 0 && ++this.expanded > MAX_NODES)
      throw mistake(origin, 'the aliases of this document expand without bound');
    if (isAlias(node)) return this.alias(node, origin);
    this.remember(node);
    if (isScalar(node)) return { kind: 'scalar', origin, value: this.scalar(node, origin) };
    if (!isMap(node) && !isSeq(node)) return { kind: 'scalar', origin, value: null };
    if (this.open.has(node)) throw mistake(origin, 'an alias contains itself');
    this.open.add(node);
    const result: Node = isMap(node)
      ? { kind: 'map', origin, entries: this.entries(node, origin) }
      : { kind: 'list', origin, items: node.items.map((item) => this.node(item, origin)) };
    this.open.delete(node);
    return tagged(result, node.tag, origin);
  }

  private remember(node: unknown): void {
    const anchor = (node as (ParsedNode & { anchor?: string | undefined }) | null)?.anchor;
    if (anchor !== undefined) this.anchors.set(anchor, node as ParsedNode);
  }

  private alias(alias: Alias, origin: Origin): Node {
    const target = this.anchors.get(alias.source);
    if (target === undefined) throw mistake(origin, `the alias *${alias.source} has no anchor before it`, YAML_HINT);
    this.inAliases++;
    const node = this.node(target, origin);
    this.inAliases--;
    return node;
  }

  private entries(map: YAMLMap<unknown, unknown>, origin: Origin): Entry[] {
    const own = new EntryList();
    const merged: Entry[] = [];
    for (const { key, value } of map.items) {
      const keyNode = this.node(key, origin);
      if (isScalar(key) && key.type === 'PLAIN' && key.value === '<<') {
        merged.push(...mergedEntries(this.node(value, keyNode.origin)));
      } else if (keyNode.kind === 'scalar') {
        own.add({ key: keyNode.value, origin: keyNode.origin, value: this.node(value, keyNode.origin) });
      } else {
        throw mistake(
          keyNode.origin,
          'a key is a mapping or a list',
          'Put quotes around a value that begins with "{" or "[".',
        );
      }
    }
    return EntryList.merged(merged, own);
  }

  private scalar(scalar: Scalar, origin: Origin): unknown {
    const text = String(scalar.value ?? '');
    const tag = scalar.tag?.replace('tag:yaml.org,2002:', '!!');
    const value = taggedScalar(text, tag ?? (scalar.type === 'PLAIN' ? 'plain' : '!!str'));
    if (value === undefined) throw mistake(origin, `${quoted(text)} cannot be read as ${tag}`, 'Remove the tag.');
    return value;
  }
}

/** The value of a scalar under a tag; undefined when the tag is unknown or does not fit. */
function taggedScalar(text: string, tag: string): unknown {
  switch (tag) {
    case 'plain':
      return plainScalar(text);
    case '!':
    case '!!str':
    case '!!python/unicode':
    case '!!python/str':
      return text;
    case '!!int':
      return integerScalar(text);
    case '!!float':
      return floatScalar(text);
    case '!!null':
      return null;
    case '!!bool':
    case '!!timestamp': {
      const value = plainScalar(text.trim());
      return tag === '!!bool' && typeof value !== 'boolean' ? undefined : value;
    }
    case '!!binary':
      return Buffer.from(text, 'base64').toString('utf8');
    case '!vault':
    case '!vault-encrypted':
      return marked('__ansible_vault', text);
    case '!unsafe':
      return marked('__ansible_unsafe', text);
    default:
      return undefined;
  }
}

/** Vault and unsafe values stay raw, in the form ansible-inventory prints them. */
function marked(marker: string, text: string): object {
  return Object.assign(Object.create(null), { [marker]: text });
}

function tagged(node: Exclude<Node, { kind: 'scalar' }>, tag: string | undefined, origin: Origin): Node {
  switch (tag?.replace('tag:yaml.org,2002:', '!!')) {
    case undefined:
    case '!!map':
    case '!!seq':
    case '!!python/dict':
      return node;
    case '!!set': {
      const keys = node.kind === 'map' ? node.entries : [];
      return { kind: 'list', origin, items: keys.map((entry) => ({ kind: 'scalar', origin, value: entry.key })) };
    }
    case '!!omap':
    case '!!pairs': {
      const items = node.kind === 'list' ? node.items : [];
      return {
        kind: 'list',
        origin,
        items: items.flatMap((item) => (item.kind === 'map' ? item.entries.map(pair) : [])),
      };
    }
    case '!unsafe':
      return unsafe(node);
    default:
      throw mistake(origin, `the tag ${quoted(tag ?? '')} is unknown`, 'Remove the tag.');
  }
}

function pair(entry: Entry): Node {
  const { key, origin, value } = entry;
  return { kind: 'list', origin, items: [{ kind: 'scalar', origin, value: key }, value] };
}

function unsafe(node: Node): Node {
  if (node.kind === 'list') return { ...node, items: node.items.map(unsafe) };
  if (node.kind === 'map') return { ...node, entries: node.entries.map((e) => ({ ...e, value: unsafe(e.value) })) };
  return typeof node.value === 'string' ? { ...node, value: marked('__ansible_unsafe', node.value) } : node;
}

function mergedEntries(node: Node): readonly Entry[] {
  if (node.kind === 'map') return node.entries;
  if (node.kind === 'list') return node.items.flatMap(mergedEntries);
  throw mistake(
    node.origin,
    'a merge key (<<) wants a mapping, or a list of mappings',
    'Point it at an anchored mapping.',
  );
}

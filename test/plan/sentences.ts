/** What the functions of a room can say, read from their source: each kind of fault, and each sentence. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vitest/node';

/** Of the parser's tree only what is looked at here. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Declaration {
  readonly file: string;
  readonly exported: boolean;
  readonly node: Node;
}

/** A fault that is made somewhere, or a text with a blank in it. `pattern` matches what becomes of it. */
export interface Saying {
  readonly kind: string | null;
  readonly text: string;
  readonly pattern: RegExp;
}

export class Room {
  private readonly declared = new Map<string, Declaration>();
  private readonly imports = new Map<string, Map<string, string>>();

  /** `except`: files that are data, and say nothing. */
  constructor(dir: string, except: readonly string[]) {
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.ts') && !except.includes(name))) {
      const { body } = parseAst(readFileSync(join(dir, file), 'utf8'), { lang: 'ts' }) as unknown as { body: Node[] };
      const imported = new Map<string, string>();
      for (const node of body) {
        const source = (node.source as { value?: string } | undefined)?.value;
        if (node.type === 'ImportDeclaration' && source?.startsWith('./')) {
          for (const { local, imported: name } of node.specifiers as { local: Name; imported: Name }[])
            imported.set(local.name, `${source.slice(2)} ${name.name}`);
        }
        const exported = node.type === 'ExportNamedDeclaration';
        const inner = (node.declaration as Node | null | undefined) ?? node;
        const all = inner.type === 'VariableDeclaration' ? (inner.declarations as Node[]) : [inner];
        if (!/^(?:Function|Variable)Declaration$/.test(inner.type)) continue;
        for (const each of all) {
          this.declared.set(`${file} ${(each.id as Name).name}`, { file, exported, node: each });
        }
      }
      this.imports.set(file, imported);
    }
  }

  /** All that may be said by one of these functions, or by what they call in this room. */
  saidBy(...functions: readonly ((...args: never[]) => unknown)[]): Saying[] {
    const names = functions.map(({ name }) => name);
    const roots = [...this.declared].filter(
      ([key, { exported }]) => exported && names.includes(key.split(' ')[1] ?? ''),
    );
    const reached = new Set(roots.map(([key]) => key));
    if (reached.size !== names.length) throw new Error(`${names.join(', ')}: not each is declared once`);
    const sayings: Saying[] = [];
    // what is added while it is walked is walked too
    for (const key of reached) {
      const { file, node } = this.declared.get(key)!;
      for (const name of identifiersIn(node)) {
        const meant = this.imports.get(file)?.get(name) ?? `${file} ${name}`;
        if (this.declared.has(meant)) reached.add(meant);
      }
      sayings.push(...sayingsIn(node));
    }
    return sayings;
  }
}

interface Name {
  readonly name: string;
}

function* nodesIn(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const each of value) yield* nodesIn(each);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const node = value as Node;
  if (typeof node.type === 'string') yield node;
  for (const [key, each] of Object.entries(node)) if (key !== 'typeAnnotation') yield* nodesIn(each);
}

function identifiersIn(node: Node): Set<string> {
  return new Set([...nodesIn(node)].filter(({ type }) => type === 'Identifier').map(({ name }) => name as string));
}

function sayingsIn(node: Node): Saying[] {
  return [...nodesIn(node)].flatMap((each): Saying[] => {
    if (each.type === 'CallExpression' && (each.callee as Partial<Name>).name === 'fault') {
      const [kind, message] = each.arguments as [Node, Node];
      if (typeof kind.value !== 'string') throw new Error('a fault without its kind in so many words');
      const text = textOf(message);
      return [{ kind: kind.value, text: `fault ${kind.value}: ${text ?? '…'}`, pattern: patternOf(text) }];
    }
    const text = textOf(each);
    return text === null || !/\S \S|\S …| \S/.test(text) ? [] : [{ kind: null, text, pattern: patternOf(text) }];
  });
}

/** With an ellipsis for what is filled in; null for what is neither. */
function textOf(node: Node): string | null {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type !== 'TemplateLiteral') return null;
  const parts = node.quasis as { value: { cooked: string } }[];
  return parts.map(({ value }) => value.cooked).join('…');
}

function patternOf(text: string | null): RegExp {
  if (text === null) return /^/;
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '.*'), 's');
}

/**
 * The part of Jinja that connection variables use, evaluated without Ansible: names, `hostvars`, `groups`, subscripts,
 * `lookup('env', …)`, a few filters, and `~` and `+` between texts. Everything else is named and not guessed.
 */

/** What names in a template of one host mean. */
export interface TemplateScope {
  /** The value of a variable of this host; undefined where it is not set. */
  variable(name: string): unknown;
  /** The scope of another host of the inventory; undefined where there is none of that name. */
  host(name: string): TemplateScope | undefined;
  /** The hosts of a group, in Ansible's order; undefined where there is none of that name. */
  group(name: string): readonly string[] | undefined;
  /** A variable of the environment. */
  env(name: string): string | undefined;
}

export type Expanded =
  | { readonly kind: 'text'; readonly text: string }
  /** `why`: the rest of a sentence that begins with the template. */
  | { readonly kind: 'cannot'; readonly why: string };

/** A template may use variables that are templates; more steps than this are no connection variable. */
const MAX_STEPS = 500;
const MAX_LENGTH = 4096;

class Cannot extends Error {}

type Lookup =
  | { readonly kind: 'hostvars' }
  | { readonly kind: 'groups' }
  | { readonly kind: 'host'; readonly scope: TemplateScope };
/** `undefined` is what Jinja calls undefined: an error, unless `default` follows. */
type Value = string | number | boolean | readonly string[] | Lookup | undefined;

/** True for text that Ansible would evaluate. */
export function isTemplate(text: string): boolean {
  return /\{[{%#]/.test(text);
}

/** Evaluates a template. Never throws; work and length are bounded, whatever the variables say. */
export function expandTemplate(text: string, scope: TemplateScope): Expanded {
  const steps = { left: MAX_STEPS };
  try {
    return { kind: 'text', text: render(text, scope, steps) };
  } catch (error) {
    if (error instanceof Cannot) return { kind: 'cannot', why: error.message };
    throw error;
  }
}

interface Steps {
  left: number;
}

function render(text: string, scope: TemplateScope, steps: Steps): string {
  if (steps.left-- <= 0) throw new Cannot('refers to itself, or to too many others');
  let result = '';
  let rest = text;
  while (rest !== '') {
    const open = rest.search(/\{[{%#]/);
    if (open < 0) {
      result += rest;
      break;
    }
    if (!rest.startsWith('{{', open)) throw new Cannot(`uses ${rest.slice(open, open + 2)} … which is not evaluated`);
    result += rest.slice(0, open);
    const expression = new Expression(rest.slice(open + 2), scope, steps);
    const value = expression.value();
    rest = expression.end();
    result += asText(value, expression.shown);
    if (result.length > MAX_LENGTH) throw new Cannot('is too long');
  }
  return result;
}

function asText(value: Value, shown: string): string {
  if (value === undefined) throw new Cannot(`uses ${shown}, which is not set`);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'object') throw new Cannot(`uses ${shown}, which is not a single value`);
  return String(value);
}

const TOKEN = /\s*(?:([A-Za-z_]\w*)|(\d+)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\}\})|([.[\](),|~+:-]))/y;
type Token = { readonly kind: 'name' | 'number' | 'text' | 'end' | 'sign'; readonly text: string };

/** One `{{ … }}`, read and evaluated in one go. */
class Expression {
  /** The name or call that was evaluated last, as it is written. */
  shown = '';
  private readonly source: string;
  private readonly scope: TemplateScope;
  private readonly steps: Steps;
  private at: number;
  private next: Token;

  constructor(source: string, scope: TemplateScope, steps: Steps) {
    this.source = source;
    this.scope = scope;
    this.steps = steps;
    this.at = source.startsWith('-') ? 1 : 0;
    this.next = this.token();
  }

  /** What follows the closing braces. */
  end(): string {
    if (this.next.kind !== 'end') throw new Cannot(`uses ${JSON.stringify(this.next.text)}, which is not evaluated`);
    return this.source.slice(this.at);
  }

  value(): Value {
    let value = this.filtered();
    while (this.is('~') || this.is('+')) {
      const left = asText(value, this.shown);
      const plus = this.take().text === '+';
      const right = this.filtered();
      if (plus && (typeof value !== 'string' || typeof right !== 'string')) throw new Cannot('adds what is not text');
      value = left + asText(right, this.shown);
    }
    return value;
  }

  private filtered(): Value {
    let value = this.operand();
    while (this.is('|')) {
      this.take();
      value = this.filter(this.name(), value);
    }
    return value;
  }

  private operand(): Value {
    const token = this.take();
    let value: Value;
    if (token.kind === 'text') value = token.text;
    else if (token.kind === 'number') value = Number(token.text);
    else if (token.text === '-' && this.next.kind === 'number') value = -Number(this.take().text);
    else if (token.kind === 'name') {
      this.shown = token.text;
      if (this.is('(')) value = this.call(token.text);
      else value = this.variable(token.text);
    } else if (token.kind === 'sign' && token.text === '(') {
      value = this.value();
      this.expect(')');
    } else throw new Cannot(`has ${JSON.stringify(token.text)} where a name is expected`);
    while (this.is('.') || this.is('[')) value = this.member(value);
    return value;
  }

  private variable(name: string): Value {
    if (name === 'hostvars') return { kind: 'hostvars' };
    if (name === 'groups') return { kind: 'groups' };
    if (name === 'true' || name === 'True') return true;
    if (name === 'false' || name === 'False') return false;
    if (this.next.kind === 'name') throw new Cannot(`uses "${this.next.text}", which is not evaluated`);
    return this.resolve(this.scope, name);
  }

  /** A variable of a host, evaluated in its turn. */
  private resolve(scope: TemplateScope, name: string): Value {
    const value = scope.variable(name);
    if (typeof value === 'string') return isTemplate(value) ? render(value, scope, this.steps) : value;
    if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return value;
    if (value === null) return 'None';
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw new Cannot(`uses ${name}, which is encrypted or not a single value`);
  }

  private member(value: Value): Value {
    const dot = this.take().text === '.';
    const key = dot ? this.name() : this.value();
    if (!dot) this.expect(']');
    if (this.is('(')) return this.method(value, String(key));
    this.shown += dot ? `.${key}` : `[${JSON.stringify(key)}]`;
    if (value === undefined || key === undefined) return undefined;
    if (Array.isArray(value)) return value.at(Number(key));
    if (typeof value !== 'object' || !('kind' in value)) throw new Cannot(`uses ${this.shown}, which is not evaluated`);
    if (value.kind === 'groups') return this.scope.group(String(key));
    if (value.kind === 'host') return this.resolve(value.scope, String(key));
    const scope = this.scope.host(String(key));
    return scope && { kind: 'host', scope };
  }

  private method(value: Value, name: string): Value {
    const args = this.arguments();
    if (name === 'split' && args.length === 1) return asText(value, this.shown).split(asText(args[0], 'its argument'));
    if (args.length === 0 && (name === 'lower' || name === 'upper')) return this.apply(name, value, args);
    throw new Cannot(`calls ${name}(), which is not evaluated`);
  }

  private call(name: string): Value {
    const args = this.arguments();
    const plugin = typeof args[0] === 'string' ? args[0].replace(/^ansible\.builtin\./, '') : '';
    if ((name === 'lookup' || name === 'query') && plugin !== '') {
      this.shown = `lookup('${plugin}'${args.length > 1 ? `, ${JSON.stringify(args[1])}` : ''})`;
      // what is not set is an empty text for Ansible
      if (name === 'lookup' && plugin === 'env' && args.length === 2)
        return this.scope.env(asText(args[1], 'it')) ?? '';
      throw new Cannot(`uses ${this.shown}, which is not evaluated`);
    }
    throw new Cannot(`calls ${name}(), which is not evaluated`);
  }

  private arguments(): Value[] {
    const args: Value[] = [];
    this.expect('(');
    while (!this.is(')')) {
      args.push(this.value());
      if (!this.is(')')) this.expect(',');
    }
    this.take();
    return args;
  }

  private filter(name: string, value: Value): Value {
    const args = this.is('(') ? this.arguments() : [];
    if (name === 'default' || name === 'd') {
      const fallsBack = value === undefined || (args[1] === true && (value === '' || value === 0 || value === false));
      return fallsBack ? (args[0] ?? '') : value;
    }
    return this.apply(name, value, args);
  }

  private apply(name: string, value: Value, args: readonly Value[]): Value {
    if (value === undefined) return undefined;
    if (Array.isArray(value) && args.length === 0) {
      if (name === 'first') return value[0];
      if (name === 'last') return value.at(-1);
    }
    if (name === 'string' && args.length === 0) return asText(value, this.shown);
    if (name === 'lower' && args.length === 0) return asText(value, this.shown).toLowerCase();
    if (name === 'upper' && args.length === 0) return asText(value, this.shown).toUpperCase();
    if (name === 'trim' && args.length === 0) return asText(value, this.shown).trim();
    if (name === 'int' && args.length === 0) return Number.parseInt(asText(value, this.shown), 10) || 0;
    if (name === 'replace' && args.length === 2) {
      return asText(value, this.shown).replaceAll(asText(args[0], 'it'), () => asText(args[1], 'it'));
    }
    throw new Cannot(`uses the filter ${name}, which is not evaluated`);
  }

  private is(sign: string): boolean {
    return this.next.kind === 'sign' && this.next.text === sign;
  }

  private take(): Token {
    const token = this.next;
    if (token.kind === 'end') throw new Cannot('ends too early');
    this.next = this.token();
    return token;
  }

  private expect(sign: string): void {
    if (!this.is(sign)) throw new Cannot(`has ${JSON.stringify(this.next.text)} where "${sign}" is expected`);
    this.take();
  }

  private name(): string {
    const token = this.take();
    if (token.kind !== 'name') throw new Cannot(`has ${JSON.stringify(token.text)} where a name is expected`);
    return token.text;
  }

  private token(): Token {
    if (this.steps.left-- <= 0) throw new Cannot('refers to itself, or to too many others');
    TOKEN.lastIndex = this.at;
    const match = TOKEN.exec(this.source);
    if (match === null) {
      const rest = this.source.slice(this.at).trim();
      throw new Cannot(
        rest === '' ? 'has no "}}"' : `has ${JSON.stringify(rest.slice(0, 20))}, which is not evaluated`,
      );
    }
    this.at = TOKEN.lastIndex;
    const [, name, number, single, double, end, sign] = match;
    if (name !== undefined) return { kind: 'name', text: name };
    if (number !== undefined) return { kind: 'number', text: number };
    if (end !== undefined) return { kind: 'end', text: '}}' };
    if (sign !== undefined) return { kind: 'sign', text: sign };
    return { kind: 'text', text: (single ?? double ?? '').replace(/\\(.)/g, '$1') };
  }
}

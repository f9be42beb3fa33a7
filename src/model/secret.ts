const HIDDEN = '***';

/**
 * A password while it is carried around: whoever prints, serialises or inspects it by accident sees what it is for and not
 * what it is. Only the place that hands it to its host calls `reveal`.
 */
export class Secret {
  /** In an operator's words: `the sudo password`. */
  readonly what: string;
  readonly #value: string;

  constructor(what: string, value: string) {
    this.what = what;
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** The text without this secret in it: for what a host says after it was told. Bytes may have been taken for characters. */
  hideIn(text: string): string {
    const bytes = Buffer.from(this.#value, 'utf8').toString('latin1');
    return text.replaceAll(this.#value, HIDDEN).replaceAll(bytes, HIDDEN);
  }

  toString(): string {
    return `(${this.what})`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Passwords that an inventory has for one host. */
export interface HostSecrets {
  readonly login?: Secret;
  readonly become?: Secret;
}

/** Where a host carries them: copies of the host keep them, and what is written down of it never has them. */
export const SECRETS: unique symbol = Symbol('secrets');

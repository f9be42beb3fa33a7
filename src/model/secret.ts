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

  /** The text without this secret in it: for what a host says after it was told. */
  hideIn(text: string): string {
    return text.replaceAll(this.#value, '…');
  }

  toString(): string {
    return `(${this.what})`;
  }

  toJSON(): string {
    return this.toString();
  }
}

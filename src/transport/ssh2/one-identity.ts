import ssh2, { type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';

/** ssh2's way to ask for a signature asynchronously: an agent, here of one identity, so that each is tried on its own. */
export class OneIdentity extends ssh2.BaseAgent<ParsedKey> {
  readonly #key: ParsedKey;
  readonly #sign: (data: Buffer) => Promise<Buffer>;
  constructor(key: ParsedKey, sign: (data: Buffer) => Promise<Buffer>) {
    super();
    this.#key = key;
    this.#sign = sign;
  }
  override getIdentities(done: (error?: Error | null, keys?: ParsedKey[]) => void): void {
    done(null, [this.#key]);
  }
  override sign(
    _key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const done = typeof options === 'function' ? options : callback;
    this.#sign(data).then(
      (signature) => done?.(null, signature),
      (error: Error) => done?.(error),
    );
  }
}

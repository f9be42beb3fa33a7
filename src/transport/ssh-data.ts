/** The data types of SSH (RFC 4251 §5): written. */
export class SshData {
  readonly #parts: Buffer[] = [];

  byte(value: number): this {
    return this.bytes(Buffer.from([value]));
  }
  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }
  number(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    return this.bytes(part);
  }
  string(value: string | Buffer): this {
    const part = Buffer.from(value as Buffer);
    return this.number(part.length).bytes(part);
  }
  /** As they are. */
  bytes(value: Buffer | SshData): this {
    this.#parts.push(value instanceof SshData ? value.take() : value);
    return this;
  }
  take(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The same, read. Throws where the data ends too soon. */
export class SshDataReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }
  byte(): number {
    return this.#next(1)[0]!;
  }
  boolean(): boolean {
    return this.byte() !== 0;
  }
  number(): number {
    return this.#next(4).readUInt32BE(0);
  }
  /** A uint64. */
  long(): bigint {
    return this.#next(8).readBigUInt64BE(0);
  }
  string(): Buffer {
    return this.#next(this.number());
  }
  /** A string of names and the like. Not safe to print. */
  text(): string {
    return this.string().toString('utf8');
  }
  get left(): number {
    return this.#data.length - this.#at;
  }
  #next(length: number): Buffer {
    if (length > this.left) throw new Error('SSH data ends too soon');
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
}

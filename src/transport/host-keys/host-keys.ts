import { readFile } from 'node:fs/promises';
import { type Fault, fault, printable } from '../../model/index.ts';
import { type Algorithms, offered } from '../ssh2/algorithms.ts';
import {
  fingerprint,
  type HostAddress,
  type KnownHost,
  KnownHosts,
  keyTypeOf,
  knownHostsName,
  type Objection,
  type Verdict,
} from './known-hosts.ts';
import { type KnownHostsRecorder, knownHostsRecorder } from './recorder.ts';
import { type RevokedKeys, revokedKeys } from './revoked-keys.ts';

/** `accept-new` trusts and records a host never seen before; a key that changed is refused all the same. */
export type HostKeyChecking = 'strict' | 'accept-new' | 'off';

export interface HostKeyOptions {
  readonly checking: HostKeyChecking;
  /** All are read; new keys go to the first. A file that does not exist is an empty one. */
  readonly files: readonly string[];
  /** Record new hosts by the hash of their name (HashKnownHosts). */
  readonly hashNames: boolean;
  /** RevokedHostKeys. One that cannot be read lets no key pass. */
  readonly revokedFile?: string | undefined;
  readonly onWarning: (text: string) => void;
}

export interface HostKeys {
  /** Reads known_hosts the first time. Never rejects. */
  checkFor(host: HostAddress, algorithms?: Algorithms): Promise<HostKeyCheck>;
}

/** The judgement over one connection's host key. */
export interface HostKeyCheck {
  /** Host key algorithms to offer, those of known keys first unless their order is given: otherwise a host with several keys raises a false alarm. */
  readonly algorithms: readonly string[];
  /** Synchronous, since ssh2 takes anything but a literal `false` for consent and a late answer corrupts a rekey. */
  accepts(key: Buffer): boolean;
  /** Type of the key that the host presented, safe to print. */
  keyType(): string;
  /** Why the key was refused. */
  refusal(): Fault | undefined;
  /** Waits until a newly accepted key is on disk. A fault when another process recorded a different key meanwhile. */
  recorded(): Promise<Fault | undefined>;
}

export function hostKeys(options: HostKeyOptions): HostKeys {
  const { checking, files, onWarning } = options;
  const recorder = knownHostsRecorder(files[0], options.hashNames, onWarning);
  let known: Promise<KnownHosts> | undefined;
  let revoked: Promise<RevokedKeys> | undefined;
  return {
    async checkFor(host, algorithms = {}) {
      if (known === undefined) {
        known = load(files, onWarning);
        if (checking === 'off') {
          onWarning('HOST KEYS ARE NOT CHECKED: anyone on the path can pose as these hosts (--host-key-checking off)');
        }
      }
      if (options.revokedFile !== undefined) revoked ??= revokedKeys(options.revokedFile);
      return new Check(host, options, await known, await revoked, recorder.record, algorithms);
    },
  };
}

async function load(files: readonly string[], onWarning: (text: string) => void): Promise<KnownHosts> {
  const known = new KnownHosts();
  for (const file of files) {
    try {
      known.addFile(file, await readFile(file, 'utf8'));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT') onWarning(`Cannot read the known hosts in ${printable(file)} (${code})`);
    }
  }
  return known;
}

class Check implements HostKeyCheck {
  readonly algorithms: readonly string[];
  readonly #host: HostAddress;
  readonly #options: HostKeyOptions;
  readonly #known: KnownHosts;
  readonly #revoked: RevokedKeys | undefined;
  readonly #record: KnownHostsRecorder['record'];
  #first: Buffer | undefined;
  #refusal: Fault | undefined;
  #recorded: Promise<Objection | undefined> | undefined;

  constructor(
    host: HostAddress,
    options: HostKeyOptions,
    known: KnownHosts,
    revoked: RevokedKeys | undefined,
    record: KnownHostsRecorder['record'],
    algorithms: Algorithms,
  ) {
    this.#host = host;
    this.#options = options;
    this.#known = known;
    this.#revoked = revoked;
    this.#record = record;
    this.algorithms = inOrder(known.keyTypes(host), algorithms);
  }

  accepts(key: Buffer): boolean {
    if (this.#first === undefined) {
      this.#first = Buffer.from(key);
      this.#refusal = this.#objection(key);
      if (this.#refusal === undefined) this.#decide(key, this.#known.check(this.#host, key));
    } else if (!this.#first.equals(key)) {
      const message = `The host presented another host key in mid-connection: ${describe(key)}`;
      this.#refusal = fault('host-key', message, 'Treat this host as hostile until you know why.');
    }
    return this.#refusal === undefined;
  }

  keyType(): string {
    return printable((this.#first && keyTypeOf(this.#first)) ?? 'unknown', 60);
  }

  refusal(): Fault | undefined {
    return this.#refusal;
  }

  async recorded(): Promise<Fault | undefined> {
    const verdict = await this.#recorded;
    return verdict && this.#first && this.#explain(this.#first, verdict);
  }

  /** What is revoked is refused however host keys are checked. */
  #objection(key: Buffer): Fault | undefined {
    const found = this.#revoked?.objectionTo(key);
    if (found === undefined) return undefined;
    if (found.is === 'revoked') return revokedFault(key, found.where);
    return fault(
      'host-key',
      `No host key is trusted, since the revoked ones are not known: ${found.why}`,
      'RevokedHostKeys of ssh_config names a file of public keys, one a line, or a list made by ssh-keygen -k; ssh trusts no host without it either.',
    );
  }

  #decide(key: Buffer, verdict: Verdict): void {
    const { checking, onWarning } = this.#options;
    if (verdict.is === 'known') return;
    if (verdict.is === 'unknown' && checking === 'accept-new') {
      this.#known.addFile('(this run)', `${knownHostsName(this.#host)} ${keyTypeOf(key)} ${key.toString('base64')}`);
      this.#recorded = this.#record(this.#host, key);
      return;
    }
    const refusal = this.#explain(key, verdict);
    if (checking !== 'off' || verdict.is === 'revoked') this.#refusal = refusal;
    else if (verdict.is === 'changed') onWarning(`${printable(this.#host.address)}: ${refusal.message}`);
  }

  #explain(key: Buffer, verdict: Objection): Fault {
    const name = printable(knownHostsName(this.#host));
    switch (verdict.is) {
      case 'revoked':
        return revokedFault(key, place(verdict.by));
      case 'changed':
        return fault(
          'host-key',
          `The host key has CHANGED: presented ${describe(key)}, but ${place(verdict.conflict)} has ${describe(verdict.conflict)}`,
          `Somebody may be in between. Verify the fingerprint out of band; if the host was reinstalled: ssh-keygen -R '${name}' -f ${printable(verdict.conflict.file)}`,
        );
      case 'unknown': {
        const searched = this.#options.files.map((file) => printable(file)).join(', ') || 'any file';
        const authority =
          verdict.authority === undefined
            ? ''
            : `; ${place(verdict.authority)} trusts a certificate authority for it, which needs --transport openssh`;
        const unknown = fault(
          'host-key',
          `Unknown host key: ${describe(key)} is not in ${searched} for ${name}${authority}`,
        );
        if (verdict.authority !== undefined) return unknown;
        const type = this.keyType();
        const line = `${name} ${type} ${key.toString('base64')}`;
        return { ...unknown, hostKey: { type, fingerprint: fingerprint(key), line } };
      }
    }
  }
}

function inOrder(
  types: readonly string[],
  { hostKey = offered('hostKey'), hostKeyOrder }: Algorithms,
): readonly string[] {
  if (hostKeyOrder === 'as given') return hostKey;
  const known = hostKey.filter((name) => types.includes(name.startsWith('rsa-') ? 'ssh-rsa' : name));
  return [...known, ...hostKey.filter((name) => !known.includes(name))];
}

function revokedFault(key: Buffer, where: string): Fault {
  return fault(
    'host-key',
    `The host presented a REVOKED host key: ${describe(key)}, revoked at ${where}`,
    'Do not connect to this host before it has a new key: the old one is in the wrong hands.',
  );
}

const place = (entry: KnownHost): string => `${printable(entry.file)}:${entry.line}`;

function describe(key: Buffer | KnownHost): string {
  if (!Buffer.isBuffer(key)) return describe(Buffer.from(key.key, 'base64'));
  return `${printable(keyTypeOf(key) ?? 'unknown type', 60)} ${fingerprint(key)}`;
}

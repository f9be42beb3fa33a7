import pLimit from 'p-limit';
import ssh2, { type ParsedKey } from 'ssh2';
import { printable, UsageError } from '../../model/index.ts';
import { fingerprint } from '../host-keys/known-hosts.ts';
import { type Agent, openAgent } from './agent.ts';
import { certificateBeside, type KeyFile, readKeyFile, SUPPORTED, unlock, unsupportedType } from './key-file.ts';

/** The keys of a run: read, unlocked and listed once, shared by all hosts. */
export interface KeyRing {
  /**
   * Makes sure that every one of these key files can be used, before anything is connected to.
   * Throws a UsageError for one that is missing, malformed, of an unsupported type, or whose passphrase is wrong.
   */
  require(files: readonly string[]): Promise<void>;
  /** The same for key files that ssh itself will use: they must be there. */
  exist(files: readonly string[]): Promise<void>;
  /** What to offer a host, in order: its key files, then (unless `identitiesOnly`) the agent's other keys. Never rejects. */
  identitiesFor(wanted: Wanted): Promise<Identities>;
  /**
   * Identities that only ssh itself can use, and that the host may need: certificates, and a security key where it was named
   * or nothing else is there. A phrase each, safe to print. Asks nobody for a passphrase; never rejects.
   */
  beyondSsh2(wanted: Wanted): Promise<readonly string[]>;
}

export interface Wanted {
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** The one of `identityFiles` that somebody asked for. */
  readonly requiredKeyFile?: string;
  /** Absent: the agent that the ring was made with. */
  readonly agent?: { readonly kind: 'none' } | { readonly kind: 'socket'; readonly path: string };
}

export interface Identities {
  readonly usable: readonly Identity[];
  readonly skipped: readonly SkippedIdentity[];
}

export interface Identity {
  /** For messages: type, short fingerprint and source. Safe to print. */
  readonly label: string;
  /** For ssh2; private only where `signer` is `here`. */
  readonly key: ParsedKey;
  /** Signature algorithm, e.g. `rsa-sha2-256` for an `ssh-rsa` key. */
  readonly algorithm: string;
  readonly signer:
    | { readonly is: 'here'; sign(data: Buffer): Buffer }
    | { readonly is: 'agent'; sign(data: Buffer): Promise<Buffer> };
}

export interface SkippedIdentity {
  /** A file, or an agent's key: safe to print, like `why`. */
  readonly source: string;
  readonly why: string;
  /** ssh itself could use it. */
  readonly needsSsh?: true;
}

export interface KeyRingOptions {
  /** Path of the agent's socket; absent: no agent. */
  readonly agentSocket?: string;
  /** Asks a person; called at most once per key file, and for one file at a time. `undefined` means: not told. */
  readonly askPassphrase?: (keyFile: string) => Promise<string | undefined>;
}

/** RSA with SHA-256: the one form that every server in use takes (dropbear knows no other but SHA-1). */
const ALGORITHM_OF_RSA = { name: 'rsa-sha2-256', hash: 'sha256' } as const;

const NO_PASSPHRASE = 'it is encrypted, and no passphrase was given';
const CHECK = 'Check --private-key.';

export function keyRing({ agentSocket, askPassphrase }: KeyRingOptions): KeyRing {
  const files = new Map<string, Promise<KeyFile>>();
  const unlocked = new Map<string, Promise<KeyFile>>();
  const certificates = new Map<string, Promise<SkippedIdentity | undefined>>();
  const oneAtATime = pLimit(1);
  const agentKeys = new Map<string, Promise<Identities>>();

  const listAgent = async (agent: Wanted['agent']): Promise<Identities> => {
    const path = agent === undefined ? agentSocket : agent.kind === 'socket' ? agent.path : undefined;
    if (path === undefined) return { usable: [], skipped: [] };
    return once(agentKeys, path, () => agentIdentities(openAgent(path)));
  };
  const ask = async (file: string, text: string): Promise<KeyFile> => {
    const passphrase = await askPassphrase?.(file);
    return passphrase === undefined ? { state: 'unusable', why: NO_PASSPHRASE } : unlock(text, passphrase);
  };

  /** A key file as an identity: by the agent, where it holds the key (then nobody is asked for a passphrase). */
  const fromFile = async (file: string, agent?: Wanted['agent']): Promise<Identity | SkippedIdentity> => {
    const source = printable(file);
    let found = await once(files, file, () => readKeyFile(file));
    if (found.state === 'locked' || found.state === 'public') {
      const { blob } = found;
      const held = (await listAgent(agent)).usable.find((identity) => blob?.equals(identity.key.getPublicSSH()));
      if (held !== undefined) return held;
    }
    if (found.state === 'locked') {
      const { text } = found;
      found = await once(unlocked, file, () => oneAtATime(() => ask(file, text)));
    }
    if (found.state === 'unusable') return { source, why: found.why, ...(found.needsSsh && { needsSsh: true }) };
    if (found.state !== 'ready') return { source, why: found.state === 'locked' ? 'it is encrypted' : found.why };
    const { parsed, blob, type } = found.key;
    const sign = (data: Buffer): Buffer => parsed.sign(data, type === 'ssh-rsa' ? ALGORITHM_OF_RSA.hash : undefined);
    return { ...describe(type, blob, source), key: parsed, signer: { is: 'here', sign } };
  };

  return {
    async require(wanted) {
      for (const file of wanted) {
        const found = await fromFile(file);
        if (!('why' in found)) continue;
        const hint =
          found.why === NO_PASSPHRASE ? 'Load it into the agent (ssh-add), or run this on a terminal.' : CHECK;
        throw new UsageError(`Key file ${found.source}: ${found.why}`, hint);
      }
    },
    async exist(wanted) {
      for (const file of wanted) {
        const found = await once(files, file, () => readKeyFile(file));
        if (found.state !== 'unusable' || found.needsSsh) continue;
        throw new UsageError(`Key file ${printable(file)}: ${found.why}`, CHECK);
      }
    },
    async identitiesFor({ identityFiles, identitiesOnly, agent }) {
      const own = await Promise.all(identityFiles.map((file) => fromFile(file, agent)));
      const beside = await Promise.all(
        identityFiles.map((file) => once(certificates, file, () => certificateBeside(file))),
      );
      const others = identitiesOnly ? undefined : await listAgent(agent);
      const all = [...own, ...(others?.usable ?? [])];
      const usable = new Map<string, Identity>();
      const skipped = all.filter((one) => 'why' in one);
      for (const one of all) {
        if ('why' in one) continue;
        const id = one.key.getPublicSSH().toString('base64');
        if (!usable.has(id)) usable.set(id, one);
      }
      const passedOver = [...skipped, ...beside.filter((one) => one !== undefined), ...(others?.skipped ?? [])];
      return { usable: [...usable.values()], skipped: passedOver };
    },
    async beyondSsh2({ identityFiles, identitiesOnly, requiredKeyFile, agent }) {
      const beside = await Promise.all(
        identityFiles.map((file) => once(certificates, file, () => certificateBeside(file))),
      );
      const held = identitiesOnly ? { usable: [], skipped: [] } : await listAgent(agent);
      const own = await Promise.all(
        identityFiles.map(async (file) => ({ file, found: await once(files, file, () => readKeyFile(file)) })),
      );
      const certified = [
        ...beside.flatMap((one) => (one === undefined ? [] : `the certificate ${one.source}`)),
        ...held.skipped.flatMap(({ source, why }) => (/-cert-v0/.test(why) ? `a certificate in the ${source}` : [])),
      ];
      const other =
        held.usable.length > 0 || own.some(({ found }) => found.state === 'ready' || found.state === 'locked');
      const secured = own.flatMap(({ file, found }) => {
        const only = found.state === 'unusable' && found.needsSsh && (!other || file === requiredKeyFile);
        return only ? `the security key ${printable(file)}` : [];
      });
      const plugged = held.skipped.flatMap(({ source, why, needsSsh }) =>
        needsSsh && !other && !/-cert-v0/.test(why) ? `a security key in the ${source}` : [],
      );
      return [...certified, ...secured, ...plugged];
    },
  };
}

/** Remembers the promise, so that hosts that come at the same time share one answer. */
function once<T>(memory: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const known = memory.get(name);
  if (known !== undefined) return known;
  const made = make();
  memory.set(name, made);
  return made;
}

async function agentIdentities(agent: Agent): Promise<Identities> {
  const usable: Identity[] = [];
  const skipped: SkippedIdentity[] = [];
  try {
    for (const identity of await agent.identities()) {
      const source = `agent (${printable(identity.comment, 60)})`;
      const key = SUPPORTED.has(identity.type) ? ssh2.utils.parseKey(identity.blob) : new Error();
      if (key instanceof Error) {
        skipped.push({ source, ...unsupportedType(identity.type) });
        continue;
      }
      const described = describe(identity.type, identity.blob, source);
      const sign = (data: Buffer): Promise<Buffer> => agent.sign(identity, data, described.algorithm);
      usable.push({ ...described, key, signer: { is: 'agent', sign } });
    }
  } catch (error) {
    skipped.push({ source: 'agent', why: printable((error as Error).message) });
  }
  return { usable, skipped };
}

function describe(type: string, blob: Buffer, source: string): { label: string; algorithm: string } {
  return {
    label: `${type} ${fingerprint(blob).slice(0, 'SHA256:'.length + 8)}… from ${source}`,
    algorithm: type === 'ssh-rsa' ? ALGORITHM_OF_RSA.name : type,
  };
}

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { printable } from '../../model/index.ts';
import { type HostAddress, hashedName, KnownHosts, keyTypeOf, knownHostsName, type Objection } from './known-hosts.ts';
import { underLock } from './lock-file.ts';

export interface KnownHostsRecorder {
  /**
   * Appends the key of a new host; resolves when it is on disk. What it resolves to: `undefined`, or the verdict that
   * now speaks against the key, because another process recorded a different one since the file was read.
   * A file that cannot be written is a warning, as with ssh: the key was accepted, only not remembered.
   */
  record(host: HostAddress, key: Buffer): Promise<Objection | undefined>;
}

interface Pending {
  readonly host: HostAddress;
  readonly key: Buffer;
  readonly settle: (against: Objection | undefined) => void;
}

/** Hosts that come while a write is under way share the next one: one lock and one fsync for all of them. */
export function knownHostsRecorder(
  file: string | undefined,
  hashNames: boolean,
  onWarning: (text: string) => void,
): KnownHostsRecorder {
  let pending: Pending[] = [];
  let writing = false;

  const write = async (): Promise<void> => {
    writing = true;
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      const verdicts = await append(file, batch, hashNames).catch((error: NodeJS.ErrnoException) => {
        onWarning(`Cannot record new host keys in ${printable(file ?? 'no file')} (${error.code ?? error.message})`);
        return [];
      });
      batch.forEach((one, index) => {
        one.settle(verdicts[index]);
      });
    }
    writing = false;
  };

  return {
    record: (host, key) =>
      new Promise((settle) => {
        pending.push({ host, key, settle });
        if (!writing) void write();
      }),
  };
}

async function append(file: string | undefined, batch: readonly Pending[], hashNames: boolean): Promise<Verdicts> {
  if (file === undefined) throw new Error('no known_hosts file');
  if (file === '/dev/null') return []; // the usual way to say that nothing is to be remembered
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return await underLock(`${file}.lock`, async () => {
    const text = await readFile(file, 'utf8').catch(() => '');
    const now = new KnownHosts();
    now.addFile(file, text);
    let lines = text === '' || text.endsWith('\n') ? '' : '\n';
    const verdicts = batch.map(({ host, key }) => {
      const verdict = now.check(host, key);
      if (verdict.is === 'changed' || verdict.is === 'revoked') return verdict;
      if (verdict.is === 'unknown') {
        const line = `${keyTypeOf(key)} ${key.toString('base64')}\n`;
        const name = knownHostsName(host);
        lines += `${hashNames ? hashedName(name, randomBytes(20)) : name} ${line}`;
        now.addFile(file, `${name} ${line}`);
      }
      return undefined;
    });
    if (lines.trim() !== '') await appendDurably(file, lines);
    return verdicts;
  });
}

type Verdicts = readonly (Objection | undefined)[];

/** One write with O_APPEND, so that lines of others are never overwritten, whoever does not know of the lock. */
async function appendDurably(file: string, lines: string): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.write(lines);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

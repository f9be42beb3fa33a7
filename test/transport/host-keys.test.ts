import { unlinkSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type HostKeyChecking, hostKeys } from '../../src/transport/host-keys/host-keys.ts';
import { fingerprint } from '../../src/transport/host-keys/known-hosts.ts';
import { scratch } from './openssh.ts';

const files = scratch();
afterAll(() => files.close());
const host = { address: 'web1.example.org', port: 2222 };
const name = '[web1.example.org]:2222';

let made = 0;
function key(type = 'ed25519'): { blob: Buffer; text: string } {
  files.key(`k${++made}`, type);
  const [algorithm, base64] = files.read(`k${made}.pub`).split(' ');
  return { blob: Buffer.from(base64!, 'base64'), text: `${algorithm} ${base64}` };
}
const a = key();
const b = key();
const rsa = key('rsa');

function open(checking: HostKeyChecking, lines: readonly string[], more: { hashNames?: boolean; file?: string } = {}) {
  const warnings: string[] = [];
  const file = more.file ?? files.write(`known_hosts${++made}`, lines.join('\n'));
  const keys = hostKeys({
    checking,
    files: [file],
    hashNames: more.hashNames ?? false,
    onWarning: (text) => warnings.push(text),
  });
  return { keys, warnings, file, text: () => files.read(file.slice(files.dir.length + 1)) };
}

describe('strict host key checking', () => {
  it('accepts a known key, and only a literal true says so', async () => {
    const check = await open('strict', [`${name} ${a.text}`]).keys.checkFor(host);
    expect(check.accepts(a.blob)).toBe(true);
    expect(check.refusal()).toBeUndefined();
    expect(await check.recorded()).toBeUndefined();
  });

  it('refuses an unknown key with its type, its fingerprint, and where it was looked for', async () => {
    const { keys, file } = open('strict', []);
    const check = await keys.checkFor(host);
    expect(check.accepts(a.blob)).toBe(false);
    const { kind, message } = check.refusal()!;
    expect(kind).toBe('host-key');
    for (const part of ['Unknown', 'ssh-ed25519', fingerprint(a.blob), file, name]) expect(message).toContain(part);
  });

  it('says that a key has changed, since which line, and how to forget the old one', async () => {
    const { keys, file } = open('strict', ['# old', `${name} ${rsa.text}`]);
    const check = await keys.checkFor(host);
    expect(check.accepts(a.blob)).toBe(false);
    const { message, hint } = check.refusal()!;
    for (const part of ['CHANGED', fingerprint(a.blob), fingerprint(rsa.blob), 'ssh-rsa', `${file}:2`]) {
      expect(message).toContain(part);
    }
    expect(hint).toContain(`ssh-keygen -R '${name}' -f ${file}`);
  });

  it('says that a key is revoked, and by which line', async () => {
    const { keys, file } = open('strict', [`${name} ${a.text}`, `@revoked * ${a.text}`]);
    const check = await keys.checkFor(host);
    expect(check.accepts(a.blob)).toBe(false);
    expect(check.refusal()?.message).toContain(`REVOKED`);
    expect(check.refusal()?.message).toContain(`${file}:2`);
  });

  it('says why a trusted certificate authority does not help', async () => {
    const { keys, file } = open('strict', [`@cert-authority *.example.org ${b.text}`]);
    const check = await keys.checkFor({ ...host, port: 22 });
    expect(check.accepts(a.blob)).toBe(false);
    expect(check.refusal()?.message).toMatch(/Unknown.*certificate authority/);
    expect(check.refusal()?.message).toContain(`${file}:1`);
  });

  it('warns of a file that cannot be read, and not of one that is missing', async () => {
    const missing = open('strict', [], { file: files.path('none') });
    await missing.keys.checkFor(host);
    expect(missing.warnings).toEqual([]);
    const directory = open('strict', [], { file: files.dir });
    await directory.keys.checkFor(host);
    expect(directory.warnings).toEqual([expect.stringContaining('EISDIR')]);
  });

  it('offers the algorithms of known keys first, RSA with SHA-2 only', async () => {
    const { algorithms } = await open('strict', [`${name} ${rsa.text}`]).keys.checkFor(host);
    expect(algorithms.slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(algorithms[2]).toBe('ssh-ed25519');
    expect(algorithms).not.toContain('ssh-rsa');
    const plain = await open('strict', []).keys.checkFor(host);
    expect(plain.algorithms[0]).toBe('ssh-ed25519');
  });

  it('refuses a second key in the same connection, and the first one again is fine', async () => {
    const check = await open('strict', [`${name} ${a.text}`, `${name} ${b.text}`]).keys.checkFor(host);
    expect([check.accepts(a.blob), check.accepts(a.blob), check.accepts(b.blob)]).toEqual([true, true, false]);
    expect(check.refusal()?.message).toContain('mid-connection');
  });
});

describe('accept-new', () => {
  it('records a new key once for many connections at a time, and knows it from then on', async () => {
    const { keys, text } = open('accept-new', []);
    const checks = await Promise.all(Array.from({ length: 20 }, () => keys.checkFor(host)));
    expect(checks.map((check) => check.accepts(a.blob))).not.toContain(false);
    expect(await Promise.all(checks.map((check) => check.recorded()))).toEqual(checks.map(() => undefined));
    expect(text()).toBe(`${name} ${a.text}\n`);
    const { keys: later } = open('strict', [text()]);
    expect((await later.checkFor(host)).accepts(a.blob)).toBe(true);
  });

  it('records many hosts in one file that others append to at the same time', async () => {
    const { file, text } = open('accept-new', ['other ssh-ed25519 AAAA']);
    const record = async (from: number): Promise<void> => {
      const { keys } = open('accept-new', [], { file }); // as another process would
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const check = await keys.checkFor({ address: `h${from + index}`, port: 22 });
          check.accepts(a.blob);
          await check.recorded();
        }),
      );
    };
    await Promise.all([record(0), record(10), record(20)]);
    const lines = text().trimEnd().split('\n');
    expect(lines[0]).toBe('other ssh-ed25519 AAAA');
    expect(
      lines
        .slice(1)
        .map((line) => line.split(' ')[0])
        .sort(),
    ).toEqual(Array.from({ length: 40 }, (_, index) => `h${index}`).sort());
  });

  it('hashes names when asked', async () => {
    const { keys, text } = open('accept-new', [], { hashNames: true });
    const check = await keys.checkFor(host);
    check.accepts(a.blob);
    await check.recorded();
    expect(text()).toMatch(/^\|1\|[^ ]+\|[^ ]+ ssh-ed25519 /);
    expect(text()).not.toContain('web1');
    expect((await open('strict', [text()]).keys.checkFor(host)).accepts(a.blob)).toBe(true);
  });

  it('makes the file and its directory, readable by the owner alone', async () => {
    const { keys, text } = open('accept-new', [], { file: files.path('new/dir/known_hosts') });
    const check = await keys.checkFor(host);
    check.accepts(a.blob);
    await check.recorded();
    expect(text()).toContain(name);
  });

  it('refuses a key that changed, or is revoked', async () => {
    const changed = await open('accept-new', [`${name} ${b.text}`]).keys.checkFor(host);
    expect(changed.accepts(a.blob)).toBe(false);
    const revoked = await open('accept-new', [`@revoked * ${a.text}`]).keys.checkFor(host);
    expect(revoked.accepts(a.blob)).toBe(false);
  });

  it('refuses a second host that claims the same address with another key in the same run', async () => {
    const { keys } = open('accept-new', []);
    const first = await keys.checkFor(host);
    const second = await keys.checkFor(host);
    expect(first.accepts(a.blob)).toBe(true);
    expect(second.accepts(b.blob)).toBe(false);
    await first.recorded();
  });

  it('takes its consent back when another process has recorded a different key meanwhile', async () => {
    const { keys, file } = open('accept-new', []);
    const check = await keys.checkFor(host);
    files.write(file.slice(files.dir.length + 1), `${name} ${b.text}\n`);
    expect(check.accepts(a.blob)).toBe(true);
    expect((await check.recorded())?.message).toContain('CHANGED');
  });

  it('warns when the file cannot be written, and goes on', async () => {
    const { keys, warnings } = open('accept-new', [], { file: files.dir });
    const check = await keys.checkFor(host);
    expect(check.accepts(a.blob)).toBe(true);
    expect(await check.recorded()).toBeUndefined();
    expect(warnings.at(-1)).toMatch(/Cannot record.*EISDIR/);
  });

  it('waits for the lock of another process', async () => {
    const { keys, file, text } = open('accept-new', []);
    const lock = files.write(`${file.slice(files.dir.length + 1)}.lock`, '');
    const check = await keys.checkFor(host);
    check.accepts(a.blob);
    let done = false;
    const recorded = check.recorded().then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(done).toBe(false);
    expect(text()).toBe('');
    unlinkSync(lock);
    await recorded;
    expect(text()).toContain(name);
  });
});

describe('host key checking switched off', () => {
  it('warns loudly, once, and accepts what is unknown or changed, but nothing that is revoked', async () => {
    const { keys, warnings } = open('off', [`${name} ${b.text}`, `@revoked * ${rsa.text}`]);
    expect((await keys.checkFor(host)).accepts(a.blob)).toBe(true);
    expect((await keys.checkFor({ ...host, port: 22 })).accepts(a.blob)).toBe(true);
    expect((await keys.checkFor(host)).accepts(rsa.blob)).toBe(false);
    expect(warnings[0]).toContain('NOT CHECKED');
    expect(warnings.slice(1)).toEqual([expect.stringContaining('CHANGED')]);
  });
});

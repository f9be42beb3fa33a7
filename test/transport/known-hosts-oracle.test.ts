/** known_hosts as OpenSSH's own tools read it, and as several processes write it. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { hashedName, KnownHosts, type Verdict } from '../../src/transport/host-keys/known-hosts.ts';
import { knownHostsRecorder } from '../../src/transport/host-keys/recorder.ts';
import { scratch } from './openssh.ts';

const files = scratch();
afterAll(() => files.close());
const keys = ['a', 'b', 'c'].map((name) =>
  files
    .read(`${files.key(name).slice(files.dir.length + 1)}.pub`)
    .split(' ')
    .slice(0, 2)
    .join(' '),
);
const blobs = keys.map((key) => Buffer.from(key.split(' ')[1]!, 'base64'));
const noKeygen = spawnSync('ssh-keygen', ['-?']).error !== undefined;

/** What the lines that ssh-keygen finds for these names say about a key, by sshd(8) and hostfile.c. */
function expected(file: string, lines: readonly string[], host: string, port: number, key: string): Verdict['is'] {
  const found = (name: string) => {
    const { stdout } = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' });
    return [...stdout.matchAll(/found: line (\d+)/g)].map(([, number]) => lines[Number(number) - 1]!);
  };
  const exact = found(port === 22 ? host : `[${host}]:${port}`);
  const bare = port === 22 ? [] : found(host);
  const has = (line: string) => line.endsWith(key);
  if ([...exact, ...bare].some((line) => line.startsWith('@revoked') && has(line))) return 'revoked';
  const plain = exact.filter((line) => !line.startsWith('@'));
  if (plain.some(has)) return 'known';
  if (plain.length > 0) return 'changed';
  return bare.some((line) => !line.startsWith('@') && has(line)) ? 'known' : 'unknown';
}

describe.skipIf(noKeygen)('a known_hosts file', () => {
  const HOSTS = ['web1', 'web12', 'db.example.org', '10.0.0.1', '::1', 'a'];
  const host = fc.constantFrom(...HOSTS);
  const port = fc.constantFrom(22, 2222);
  const named = fc.tuple(host, port).map(([name, at]) => (at === 22 ? name : `[${name}]:${at}`));
  const glob = fc
    .tuple(named, fc.constantFrom('*', '?', ''), fc.nat(14))
    .map(([name, wild, at]) => name.slice(0, at) + wild + name.slice(at + 1));
  const patterns = fc
    .array(fc.tuple(fc.oneof(named, glob), fc.boolean()), { minLength: 1, maxLength: 3 })
    .map((all) => all.map(([name, negated]) => (negated ? `!${name}` : name)).join(','));
  const hashed = named.map((name) => hashedName(name, randomBytes(20)));
  const line = fc
    .tuple(
      fc.constantFrom('', '', '', '@revoked ', '@cert-authority '),
      fc.oneof({ weight: 3, arbitrary: patterns }, { weight: 1, arbitrary: hashed }),
      fc.constantFrom(...keys),
    )
    .map(([marker, names, key]) => `${marker}${names} ${key}`);

  it('means what ssh-keygen -F finds in it', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), host, port, fc.nat(2), (lines, name, at, which) => {
        const text = `${lines.join('\n')}\n`;
        const file = files.write('fuzzed', text);
        const known = new KnownHosts();
        known.addFile(file, text);
        const { is } = known.check({ address: name, port: at }, blobs[which]!);
        expect(is, text).toBe(expected(file, lines, name, at, keys[which]!));
      }),
      { numRuns: 150 },
    );
  });
});

describe('the recorder', () => {
  it('shares a file with another process that records at the same time', async () => {
    const file = files.path('shared');
    const program = files.write(
      'other.mts',
      `import { knownHostsRecorder } from '${new URL('../../src/transport/host-keys/recorder.ts', import.meta.url).pathname}';
       const recorder = knownHostsRecorder(process.argv[2], false, (text) => console.error(text));
       const key = Buffer.from(process.argv[3], 'base64');
       for (let i = 0; i < 40; i++) await recorder.record({ address: 'other' + i, port: 22 }, key);`,
    );
    const base64 = keys[1]!.split(' ')[1]!;
    const child = spawn(process.execPath, ['--import', 'tsx', program, file, base64], {
      cwd: new URL('../..', import.meta.url).pathname,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const { record } = knownHostsRecorder(file, true, (text) => {
      complaints += text;
    });
    let done = 0;
    const going = { on: true };
    void ended.then(() => {
      going.on = false;
    });
    while (going.on) {
      await record({ address: `here${done++}`, port: 22 }, blobs[0]!);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect([await ended, complaints]).toEqual([0, '']);
    const lines = files.read('shared').trimEnd().split('\n');
    expect(lines).toHaveLength(done + 40);
    const known = new KnownHosts();
    known.addFile(file, files.read('shared'));
    for (let i = 0; i < done; i++) expect(known.check({ address: `here${i}`, port: 22 }, blobs[0]!).is).toBe('known');
    for (let i = 0; i < 40; i++) expect(known.check({ address: `other${i}`, port: 22 }, blobs[1]!).is).toBe('known');
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it('takes over a lock that somebody left behind, after a while', async () => {
    const file = files.path('abandoned');
    writeFileSync(`${file}.lock`, '');
    utimesSync(`${file}.lock`, 1, 1);
    const warnings: string[] = [];
    const { record } = knownHostsRecorder(file, false, (text) => warnings.push(text));
    const before = performance.now();
    expect(await record({ address: 'web1', port: 2222 }, blobs[0]!)).toBeUndefined();
    expect(performance.now() - before).toBeGreaterThan(3_000);
    expect(files.read('abandoned')).toBe(`[web1]:2222 ${keys[0]}\n`);
    expect(existsSync(`${file}.lock`)).toBe(false);
    expect(warnings).toEqual([]);
  });
});

describe.skipIf(noKeygen)('a line that was recorded', () => {
  it.each([
    ['web1', 22, false],
    ['::1', 2222, false],
    ['Web1.Example.ORG', 2222, true],
  ])('for %s port %i (hashed: %s) is found by ssh-keygen', async (address, port, hash) => {
    const file = files.path(`recorded-${port}-${hash}`);
    await knownHostsRecorder(file, hash, () => undefined).record({ address, port }, blobs[2]!);
    const name = address.toLowerCase();
    const found = execFileSync('ssh-keygen', ['-F', port === 22 ? name : `[${name}]:${port}`, '-f', file], {
      encoding: 'utf8',
    });
    expect(found).toContain('found: line 1');
  });
});

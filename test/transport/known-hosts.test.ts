import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fingerprint, hashedName, type KnownHost, KnownHosts } from '../../src/transport/host-keys/known-hosts.ts';
import { scratch } from './openssh.ts';

const files = scratch();
afterAll(() => files.close());

/** A public key blob that is made up but well-formed. */
function blob(seed: string, type = 'ssh-ed25519'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return Buffer.concat([Buffer.from([0, 0, 0, type.length]), Buffer.from(type), Buffer.from([0, 0, 0, 32]), key]);
}
const line = (names: string, seed: string, type = 'ssh-ed25519'): string =>
  `${names} ${type} ${blob(seed, type).toString('base64')} comment`;
const host = (address: string, port = 22) => ({ address, port });

function known(...lines: readonly string[]): KnownHosts {
  const hosts = new KnownHosts();
  hosts.addFile('kh', lines.join('\n'));
  return hosts;
}

describe('known_hosts', () => {
  const salt = randomBytes(20);
  it.each<[claim: string, lines: string[], address: string, port: number, verdict: string]>([
    ['a listed key is known', [line('web1', 'a')], 'web1', 22, 'known'],
    ['a host that is not listed is unknown', [line('web1', 'a')], 'web2', 22, 'unknown'],
    ['another key is a change', [line('web1', 'b')], 'web1', 22, 'changed'],
    ['a key of another type is a change too', [line('web1', 'b', 'ssh-rsa')], 'web1', 22, 'changed'],
    ['one of several keys is enough', [line('web1', 'b'), line('web1', 'a')], 'web1', 22, 'known'],
    ['names are compared without case', [line('WEB1', 'a')], 'Web1', 22, 'known'],
    ['a comma separates names', [line('x,web1,10.0.0.1', 'a')], '10.0.0.1', 22, 'known'],
    ['stars and question marks match', [line('*.example.org,web?', 'a')], 'web7', 22, 'known'],
    ['a star matches nothing, too', [line('web1*', 'a')], 'web1', 22, 'known'],
    ['a dot is only a dot', [line('a.c', 'a')], 'abc', 22, 'unknown'],
    ['a negated name takes the whole line away', [line('*,!web1', 'b')], 'web1', 22, 'unknown'],
    ['whatever the order', [line('!web1,*', 'b')], 'web1', 22, 'unknown'],
    ['a hashed name matches', [line(hashedName('web1', salt), 'a')], 'web1', 22, 'known'],
    ['a hashed name of another host does not', [line(hashedName('web2', salt), 'b')], 'web1', 22, 'unknown'],
    ['a hashed name can tell of a change', [line(hashedName('web1', salt), 'b')], 'web1', 22, 'changed'],
    [
      'a hashed line knows the key although a plain one conflicts',
      [line('web1', 'b'), line(hashedName('web1', salt), 'a')],
      'web1',
      22,
      'known',
    ],
    ['a port is part of the name', [line('[web1]:2222', 'a')], 'web1', 2222, 'known'],
    ['a port is part of the hashed name', [line(hashedName('[web1]:2222', salt), 'a')], 'web1', 2222, 'known'],
    ['an entry with a port says nothing about port 22', [line('[web1]:2222', 'b')], 'web1', 22, 'unknown'],
    ['an entry without a port is good for other ports', [line('web1', 'a')], 'web1', 2222, 'known'],
    ['but cannot tell of a change there', [line('web1', 'b')], 'web1', 2222, 'unknown'],
    ['and yields to one with the port', [line('web1', 'a'), line('[web1]:2222', 'b')], 'web1', 2222, 'changed'],
    ['a revoked key is revoked', [`@revoked ${line('*', 'a')}`], 'web1', 22, 'revoked'],
    ['even if it is listed as well', [line('web1', 'a'), `@revoked ${line('*', 'a')}`], 'web1', 22, 'revoked'],
    [
      'even by a hashed name',
      [line('web1', 'a'), `@revoked ${line(hashedName('web1', salt), 'a')}`],
      'web1',
      22,
      'revoked',
    ],
    ['another revoked key means nothing', [`@revoked ${line('web1', 'b')}`], 'web1', 22, 'unknown'],
    ['an authority does not vouch for a plain key', [`@cert-authority ${line('*', 'a')}`], 'web1', 22, 'unknown'],
    ['an unknown marker is passed over', [`@future ${line('web1', 'b')}`], 'web1', 22, 'unknown'],
    ['comments and blank lines are passed over', ['# x', '', `  ${line('web1', 'a')}`], 'web1', 22, 'known'],
    [
      'a type that belies its key is passed over',
      [line('web1', 'a').replace('ed25519', 'ed25518')],
      'web1',
      22,
      'unknown',
    ],
    ['base64 with a sign too many is no key', [line('web1', 'a').replace(' comment', '=')], 'web1', 22, 'unknown'],
    ['nor is a hash that goes on', [line(`${hashedName('web1', salt)},web1`, 'a')], 'web1', 22, 'unknown'],
    ['a key that is not base64 is passed over', ['web1 ssh-ed25519 AAAA!'], 'web1', 22, 'unknown'],
    ['Windows line ends do no harm', [`${line('web1', 'a')}\r`], 'web1', 22, 'known'],
    ['a form feed in front is part of the name', [`\f${line('web1', 'a')}`], 'web1', 22, 'unknown'],
    ['a host may be called __proto__', [line('__proto__', 'a')], '__proto__', 22, 'known'],
    ['and nothing is known of it by itself', [], 'constructor', 22, 'unknown'],
  ])('%s', (_claim, lines, address, port, verdict) => {
    expect(known(...lines).check(host(address, port), blob('a')).is).toBe(verdict);
  });

  it('tells the file and the line of a conflict', () => {
    const verdict = known('# first', line('web1', 'b')).check(host('web1'), blob('a'));
    expect(verdict).toMatchObject({
      conflict: { file: 'kh', line: 2, type: 'ssh-ed25519' } satisfies Partial<KnownHost>,
    });
  });

  it('names the authority that is trusted for an unknown host', () => {
    const verdict = known(`@cert-authority ${line('*.org', 'ca')}`).check(host('a.org'), blob('a'));
    expect(verdict).toMatchObject({ is: 'unknown', authority: { line: 1 } });
  });

  it('lists the key types of a host, of plain entries only', () => {
    const hosts = known(line('web1', 'a', 'ssh-rsa'), `@revoked ${line('web1', 'b')}`, line('w*', 'c'));
    expect(hosts.keyTypes(host('web1'))).toEqual(['ssh-rsa', 'ssh-ed25519']);
    expect(hosts.keyTypes(host('web1', 2222))).toEqual(['ssh-rsa', 'ssh-ed25519']);
    expect(hosts.keyTypes(host('db1'))).toEqual([]);
  });

  it('matches a pattern of many stars in no exponential time', () => {
    const name = 'a'.repeat(200);
    const before = performance.now();
    expect(known(line(`${'*a'.repeat(100)}*b`, 'a')).check(host(name), blob('a')).is).toBe('unknown');
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  it('prints fingerprints as ssh-keygen does', () => {
    const key = files.key('fp');
    const public_ = Buffer.from(files.read('fp.pub').split(' ')[1]!, 'base64');
    const { stdout } = spawnSync('ssh-keygen', ['-l', '-f', key], { encoding: 'utf8' });
    expect(stdout).toContain(` ${fingerprint(public_)} `);
  });
});

describe('known_hosts, against ssh-keygen -F', () => {
  const keygen = spawnSync('ssh-keygen', ['-?']).error === undefined;
  const names = fc.constantFrom('web1', 'web2', 'db1', 'a.b', 'web', '[web1]:2222', '[a.b]:2222', 'Web1');
  const pattern = fc.oneof(
    names,
    fc.constantFrom('*', 'web*', 'web?', '!web1', '!web*', '*.b', '[web?]:2222', '[*]:*', '*2*', '!*b'),
  );
  const field = fc.oneof(
    { weight: 3, arbitrary: fc.array(pattern, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(names, fc.uint8Array({ minLength: 20, maxLength: 20 }))
        .map(([name, salt]) => hashedName(name.toLowerCase(), Buffer.from(salt))),
    },
  );
  const entry = fc
    .tuple(fc.constantFrom('', '', '', '@revoked ', '@cert-authority ', '@odd '), field, fc.constantFrom('a', 'b'))
    .map(([marker, hosts, seed]) => `${marker}${line(hosts, seed)}`);
  const indented = fc
    .tuple(fc.constantFrom('', '', ' \t', '\f', '\v', '\u00a0'), entry)
    .map(([indent, text]) => `${indent}${text}`);
  const queries = ['web1', 'web2', 'db1', 'a.b', '[web1]:2222', '[a.b]:2222'];

  it.skipIf(!keygen)('finds the same lines for the same name', () => {
    fc.assert(
      fc.property(fc.array(indented, { minLength: 1, maxLength: 12 }), fc.constantFrom(...queries), (lines, query) => {
        const file = files.write('fuzz', `${lines.join('\n')}\n`);
        const { stdout } = spawnSync('ssh-keygen', ['-F', query, '-f', file], { encoding: 'utf8' });
        const theirs = [...stdout.matchAll(/found: line (\d+)/g)].map((match) => Number(match[1]));
        expect(foundBy(query, lines)).toEqual(theirs);
      }),
      { numRuns: 150 },
    );
  });

  /** The lines that speak of a name, learnt from verdicts alone: each line on its own, with a key that only it has. */
  function foundBy(query: string, lines: readonly string[]): number[] {
    const [, bracketed, port] = /^\[(.+)\]:(\d+)$/.exec(query) ?? [];
    const asked = host(bracketed ?? query, Number(port ?? 22));
    const found: number[] = [];
    lines.forEach((text, index) => {
      const hosts = known(text.replace(/^([ \t]*)@(revoked|cert-authority) /, '$1'));
      // A different key: a line filed under exactly this name is then a conflict.
      if (hosts.check(asked, blob('other')).is === 'changed') found.push(index + 1);
    });
    return found;
  }
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/index.ts';
import { openSshConfig, toSshG } from '../../src/ssh-config/index.ts';
import { askSsh, byKey, difference, HERE, type Lines, options, sshVersion } from './oracle.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh-config-property-'));
afterAll(() => rmSync(directory, { recursive: true }));

const HOSTS = ['web1', 'web2', 'db1', 'WEB1', 'a.example.com'];
const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const joined = (separator: string, max: number, word: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(word, { minLength: 1, maxLength: max }).map((words) => words.join(separator));

const pattern = oneOf('web1', 'web*', '*', '!web2', 'db?', '!db*', '*.example.com', 'WEB1', '"web1"', '!*', 'a*e*c?m');
const criterion = oneOf(
  ...[
    'host web1',
    'host web*,!web2',
    'host *.d',
    'originalhost WEB1',
    'user root',
    'user a,b',
    '!user a',
    'localuser *',
  ],
  ...['final', 'canonical', '!final', '!host db*', 'host="web1"', 'originalhost = db1', 'user "a"'],
);
const setting = oneOf(
  ...[
    'Port 1',
    'Port 2',
    'Port=3',
    'User a',
    'User b',
    'User "c d"',
    'HostName %h.d',
    'HostName real',
    'HostName 10.1',
  ],
  ...['ProxyJump j', 'ProxyJump none', 'ProxyJump u@k:2,l', 'ProxyCommand c %h', 'ProxyCommand none'],
  ...['IdentityFile a', 'IdentityFile b', 'IdentityFile none', 'CertificateFile a', 'CertificateFile b'],
  ...['UserKnownHostsFile ~/%h-%r-%p', 'UserKnownHostsFile none', 'UserKnownHostsFile a b', 'HostKeyAlias K'],
  ...['SendEnv A B*', 'SendEnv -A', 'SendEnv -B', 'SetEnv A=1 A=2', 'SetEnv B=2', 'ConnectTimeout none'],
  ...[
    'ConnectTimeout 1m1',
    'BatchMode yes',
    'ServerAliveInterval 7',
    'StrictHostKeyChecking off',
    'IdentityAgent ~/%n',
  ],
  ...['VerifyHostKeyDNS ask', 'AddressFamily inet6', 'IgnoreUnknown foo,ba*', 'Foo x', '# comment', '', 'User e # f'],
  ...['GlobalKnownHostsFile "x y" z', 'LogLevel debug1', 'ControlPath %C', 'RemoteCommand  x %p "%n"', 'Port 4 # five'],
);
/** Mistakes, rare enough that most files have none. */
const mistaken = oneOf(
  'Port x',
  'User',
  'User "x',
  'Match host',
  'Foo',
  'HostName %q',
  'User a b',
  'Match all all',
  'Host ""',
);
const line = fc.oneof(
  { weight: 60, arbitrary: setting },
  { weight: 14, arbitrary: joined(' ', 3, pattern).map((patterns) => `Host ${patterns}`) },
  { weight: 14, arbitrary: joined(' ', 3, criterion).map((criteria) => `Match ${criteria}`) },
  { weight: 6, arbitrary: oneOf('Match all', 'Match final all', 'Match host web1 all', 'Match !all') },
  { weight: 1, arbitrary: mistaken },
);
const decorated = fc
  .tuple(oneOf('', '  ', '\t'), line, oneOf('', ' ', '\r', '\t'))
  .map(([before, text, after]) => before + text + after);
const file = joined('\n', 14, decorated).map((text) => `${text}\n`);

describe.skipIf(sshVersion() === undefined)('whatever a file says', () => {
  it('is understood as ssh understands it', async () => {
    const empty = write('', 'empty');
    const plain = [await askSsh(empty, 'plain'), await ours(empty, 'plain')] as const;
    if ('refused' in plain[1] || 'errorAtLine' in plain[0]) throw new Error('an empty file was refused');
    const versioned = Object.keys(difference(plain[1], plain[0], directory));
    let number = 0;
    const agrees = async (text: string): Promise<void> => {
      const path = write(text, `f${number++}`);
      await Promise.all(
        HOSTS.slice(number % 2, 3 + (number % 3)).map(async (host) => {
          const [theirs, mine] = await Promise.all([askSsh(path, host), ours(path, host)]);
          expect('refused' in mine ? mine.refused : '', `${host}\n${text}`).toEqual(
            'errorAtLine' in theirs ? expect.stringMatching(/./) : '',
          );
          if ('errorAtLine' in theirs || 'refused' in mine) return;
          for (const key of versioned) for (const lines of [theirs, mine]) (lines as Map<string, unknown>).delete(key);
          expect(difference(mine, theirs, directory), `${host}\n${text}`).toEqual({});
        }),
      );
    };
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 8, maxLength: 8 }), async (texts) => {
        await Promise.all(texts.map(agrees));
      }),
      { numRuns: 25 },
    );
  });
});

describe('whatever bytes a file holds', () => {
  it('it is understood or refused, and never breaks the reader', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 80 }));
    const keyword = oneOf(
      'Host ',
      'Match ',
      'ProxyJump ',
      'IdentityFile ',
      'UserKnownHostsFile ',
      'Port=',
      'ConnectTimeout ',
      '',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(keyword, text), { maxLength: 5 }), async (lines) => {
        const path = write(lines.map(([name, rest]) => name + rest).join('\n'), 'bytes');
        await ours(path, 'web1');
      }),
      { numRuns: 500 },
    );
  });
});

function write(text: string, name: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function ours(path: string, host: string): Promise<Lines | { readonly refused: string }> {
  try {
    const run = (): Promise<never> => Promise.reject(new Error('there is no ssh to ask'));
    const setup = path.endsWith('/bytes') ? options(path, HERE, { run }) : options(path, HERE);
    return byKey(toSshG(await openSshConfig(setup).resolve(host)));
  } catch (error) {
    if (error instanceof UsageError) return { refused: error.message };
    throw error;
  }
}

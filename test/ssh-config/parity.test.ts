import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/index.ts';
import { openSshConfig, toSshG } from '../../src/ssh-config/index.ts';
import {
  type Answer,
  askSsh,
  byKey,
  difference,
  ENV,
  HERE,
  type Lines,
  options,
  RECORDED,
  recordedAnswers,
  run,
  type Situation,
  sshVersion,
  unpackCorpus,
} from './oracle.ts';

const { directory, situations } = unpackCorpus();
const expected = recordedAnswers();
afterAll(() => rmSync(directory, { recursive: true }));

/** Situations that only ssh can judge, and so cannot be checked where there is none. */
const needsSsh = (name: string): boolean =>
  /^(match-exec|canonicalize)/.test(name) && name !== 'match-exec-not-reached';

async function ours(file: string, host: string, local: typeof HERE): Promise<Lines | { readonly message: string }> {
  try {
    return byKey(toSshG(await openSshConfig(options(file, local)).resolve(host)));
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}

describe('every situation resolves as the real ssh once did', () => {
  it.each(situations.map((situation) => [situation.name, situation] as const))('%s', async (name, { file, hosts }) => {
    if (needsSsh(name)) return;
    const plain = (await ours(join(directory, 'empty.conf'), 'plain', RECORDED)) as Lines;
    for (const host of hosts) {
      const answer = await ours(file, host, RECORDED);
      const wanted = expected.get(name)?.[host];
      if ('message' in answer) expect([answer.message, wanted]).toEqual([answer.message, refusalFor(answer, wanted)]);
      else expect(difference(answer, plain, directory), host).toEqual(wanted);
    }
  });

  it('and none is missing from the record', () => {
    expect([...expected.keys()]).toEqual(situations.map(({ name }) => name));
    expect(situations.length).toBeGreaterThan(100);
  });
});

/** ssh's refusal, if the message names the line that ssh names. */
function refusalFor({ message }: { readonly message: string }, wanted: Answer | undefined): Answer {
  const line = wanted !== undefined && typeof wanted.errorAtLine === 'number' ? wanted.errorAtLine : 0;
  return line === 0 || message.includes(`:${line}: `) ? { errorAtLine: line } : { errorAtLine: -1 };
}

describe.skipIf(sshVersion() === undefined)('every situation resolves as the ssh on PATH does', () => {
  it('key by key', async () => {
    const empty = join(directory, 'empty.conf');
    const versioned = await keysThatDependOnTheVersion(empty);
    const wrong: unknown[] = [];
    const check = async ({ name, file, hosts }: Situation): Promise<void> => {
      for (const host of hosts) {
        const [theirs, mine] = await Promise.all([askSsh(file, host), ours(file, host, HERE)]);
        if ('errorAtLine' in theirs !== 'message' in mine) wrong.push({ name, host, theirs, mine });
        if ('errorAtLine' in theirs || 'message' in mine) continue;
        for (const key of versioned) for (const lines of [theirs, mine]) (lines as Map<string, unknown>).delete(key);
        const found = difference(mine, theirs, directory);
        if (Object.keys(found).length > 0) wrong.push({ name, host, found });
      }
    };
    for (let i = 0; i < situations.length; i += 16) await Promise.all(situations.slice(i, i + 16).map(check));
    expect(wrong).toEqual([]);
  });
});

/** Defaults differ between versions and distributions; what is set in a file does not. */
async function keysThatDependOnTheVersion(empty: string): Promise<readonly string[]> {
  const theirs = await askSsh(empty, 'plain');
  const mine = await ours(empty, 'plain', HERE);
  if ('errorAtLine' in theirs || 'message' in mine) throw new Error('an empty file was refused');
  return Object.keys(difference(mine, theirs, directory));
}

describe.skipIf(sshVersion() === undefined)('what is given on the command line wins as it does for ssh', () => {
  it.each([
    ['a user', { user: 'bob' }, ['-l', 'bob']],
    ['a port', { port: 99 }, ['-p', '99']],
    [
      'options',
      { options: ['IdentityFile=first', 'ProxyCommand z %h'] },
      ['-o', 'IdentityFile=first', '-o', 'ProxyCommand z %h'],
    ],
    ['the first of two', { port: 8, options: ['Port=9'] }, ['-p', '8', '-o', 'Port=9']],
  ])('%s', async (_, overrides, args) => {
    const file = join(directory, 'a-typical-file.conf');
    for (const host of ['bastion', 'web1.prod', 'x.lab']) {
      const theirs = await run('ssh', ['-T', '-G', '-F', file, ...args, '--', host]);
      const mine = await openSshConfig(options(file, HERE, { env: ENV })).resolve(host, overrides);
      expect(difference(byKey(toSshG(mine)), byKey(theirs.stdout.trim().split('\n')), directory)).toEqual({});
    }
  });
});

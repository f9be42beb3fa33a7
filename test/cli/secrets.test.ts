/** Secrets come in by a prompt, a file or a descriptor, whole and once, and no error shows them. */
import { chmodSync, closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { readSecret, type SecretRequest } from '../../src/operations/context/read-secret.ts';
import type { Io } from '../../src/operations/io.ts';
import { operator } from '../operator.ts';

const alice = operator();
afterAll(() => alice.dispose());

const HARD = ' pä$$ "w\\o\'rd` ';
let files = 0;

function file(content: string | Buffer, mode = 0o600): string {
  const path = join(alice.home, `secret-${++files}`);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function read(given: { ask?: boolean; file?: string; fd?: number }, prompt: Io['prompt'] = async () => undefined) {
  const request: SecretRequest = {
    what: 'the sudo password',
    ask: { flag: '-K', given: given.ask },
    file: { flag: '--become-password-file', given: given.file },
    fd: { flag: '--become-password-fd', given: given.fd },
    maxBytes: 255,
  };
  return readSecret({ cwd: alice.home, home: alice.home, prompt } as Io, request);
}

describe('a secret', () => {
  it('is not read where no flag asks for it', async () => {
    expect(await read({})).toBeUndefined();
    expect(await read({ ask: false })).toBeUndefined();
  });

  it('is what was typed, blanks included', async () => {
    const asked: string[] = [];
    const secret = await read({ ask: true }, async (question, answer) => {
      asked.push(`${question}${answer}`);
      return HARD;
    });
    expect(asked).toEqual(['The sudo password: hidden']);
    expect(secret?.reveal()).toBe(HARD);
  });

  it('is the one line of a file, whatever ends it', async () => {
    for (const end of ['', '\n', '\r\n']) {
      expect((await read({ file: file(`${HARD}${end}`) }))?.reveal()).toBe(HARD);
    }
  });

  it('is a line of a descriptor, and the next one is the next secret', async () => {
    const fd = openSync(file(`first\n${HARD}\n`), 'r');
    expect((await read({ fd }))?.reveal()).toBe('first');
    expect((await read({ fd }))?.reveal()).toBe(HARD);
    await expect(read({ fd })).rejects.toThrow(/is empty/);
    closeSync(fd);
  });

  it('cannot be printed by accident', async () => {
    const secret = await read({ file: file('s3cret') });
    const carrier = { secret };
    expect(`${secret} ${JSON.stringify(carrier)} ${inspect(carrier, { depth: 9, showHidden: true })}`).not.toContain(
      's3cret',
    );
    expect(secret?.hideIn('sudo: s3cret: command not found')).toBe('sudo: ***: command not found');
  });

  const refused: readonly (readonly [what: string, given: () => Parameters<typeof read>[0], says: RegExp])[] = [
    ['from two places', () => ({ ask: true, file: file('x') }), /-K and --become-password-file both give/],
    ['without a terminal', () => ({ ask: true }), /nobody answered at a terminal/],
    ['that is empty', () => ({ file: file('\n') }), /is empty/],
    ['of two lines', () => ({ file: file('s3cret\nmore\n') }), /more than one line/],
    ['that is too long', () => ({ file: file('s3cret'.repeat(99)) }), /longer than 255 bytes/],
    ['with a NUL', () => ({ file: file('s3\0cret') }), /NUL/],
    ['that is no UTF-8', () => ({ file: file(Buffer.from([0x73, 0xff])) }), /UTF-8/],
    ['that everybody can read', () => ({ file: file('s3cret', 0o644) }), /can be read by everybody/],
    ['from a file that is not there', () => ({ file: '/no/such/file' }), /\/no\/such\/file cannot be read \(ENOENT\)/],
    ['from a descriptor that is not open', () => ({ fd: 999 }), /descriptor 999 cannot be read \(EBADF\)/],
    ['from no descriptor', () => ({ fd: Number.NaN }), /not a file descriptor/],
  ];
  for (const [what, given, says] of refused) {
    it(`${what} is a mistake that is told without it`, async () => {
      const error = await read(given()).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ name: 'UsageError', message: expect.stringMatching(says) });
      expect(inspect(error)).not.toContain('s3cret');
    });
  }
});

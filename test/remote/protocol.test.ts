import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metaFrom, metaText } from '../../src/remote/meta.ts';
import { Answer, applyWords, newNonce, undoWords } from '../../src/remote/protocol.ts';
import { Requests } from '../../src/remote/requests.ts';

const NONCE = '0123456789abcdef01234567';

function feed(text: string | Buffer, size = Number.POSITIVE_INFINITY) {
  const answer = new Answer(NONCE, 1);
  const bytes = Buffer.from(text);
  let state: ReturnType<Answer['take']> = { kind: 'more' };
  for (let from = 0; from < bytes.length && state.kind === 'more'; from += size) {
    state = answer.take(bytes.subarray(from, from + size));
  }
  return { state, records: answer.records };
}

const whole = `@${NONCE} 1 os ID=debian\n@${NONCE} 1 host boot=x y\n@${NONCE} 1 done 3\n`;

describe('an answer', () => {
  it('is whole when its last record has counted the others', () => {
    expect(feed(whole)).toEqual({
      state: { kind: 'done' },
      records: [
        { kind: 'os', text: 'ID=debian' },
        { kind: 'host', text: 'boot=x y' },
      ],
    });
  });

  it('is the same however it is cut into chunks', () => {
    const expected = feed(`motd\n${whole}`).records;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (size) => {
        expect(feed(`motd\n${whole}`, size)).toEqual({ state: { kind: 'done' }, records: expected });
      }),
    );
  });

  it('keeps UTF-8 that arrives in two chunks', () => {
    const text = `@${NONCE} 1 os NAME=Ärger\n@${NONCE} 1 done 2\n`;
    for (let size = 1; size < 45; size++) expect(feed(text, size).records[0]?.text).toBe('NAME=Ärger');
  });

  it('that lost a record is broken, not short', () => {
    expect(feed(`@${NONCE} 1 os ID=debian\n@${NONCE} 1 done 3\n`).state.kind).toBe('broken');
  });

  it('does not hear what has another nonce, another number, or no frame', () => {
    const noise = `@ffff 1 os ID=evil\n@${NONCE} 2 os ID=evil\nos ID=evil\n@ ${NONCE} 1 os ID=evil\n`;
    expect(feed(noise + whole).records).toEqual(feed(whole).records);
  });

  it('with an endless record or endless records is broken before memory is', () => {
    for (const size of [1, 1_000, 64 * 1024, Number.POSITIVE_INFINITY]) {
      expect(feed(`@${NONCE} 1 os ${'x'.repeat(66_000)}`, size).state.kind).toBe('broken');
      expect(feed(`\x1b[0m@${NONCE} 1 os ${'x'.repeat(66_000)}\n`, size).state.kind).toBe('broken');
    }
    expect(feed(`@${NONCE} 1 os a\n`.repeat(20_001)).state.kind).toBe('broken');
    expect(feed(`@${NONCE} 1 os ${'x'.repeat(60_000)}\n`.repeat(20)).state.kind).toBe('broken');
  });

  it('begins where its frame does, whatever a start-up file has left on the line, and however much', () => {
    const expected = feed(whole);
    for (const before of [
      '\x1b[0m',
      'Welcome!\r',
      '\0\0',
      '@',
      `@${NONCE}`,
      `@${NONCE} 0 `,
      `@${NONCE} 1`,
      'x'.repeat(300_000),
    ]) {
      for (const size of [1, 7, 4096, 65_537, Number.POSITIVE_INFINITY]) {
        if (size * 50_000 < before.length) continue;
        expect(feed(before + whole, size), `${before.slice(0, 40)} by ${size}`).toEqual(expected);
      }
    }
    // a program of the start-up file that runs on
    expect(feed(whole.replaceAll('@', 'beep@'))).toEqual(expected);
  });

  it('of random bytes never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => void feed(Buffer.from(bytes), 7)));
  });
});

describe('a request', () => {
  const change = {
    where: 'etc',
    links: ['/etc/systemd/system/dev-disk-by\\x2did.mount'],
    removes: [],
    displaces: [],
    stops: ['a@b.service'],
    attempts: [],
    groups: ['/system.slice/a\\x2db.service'],
    killLeftovers: false,
    reads: [],
    looks: [],
  } as const;
  const prior = { bootId: null, machineId: null, states: [], masks: [] };

  it('is called by one line that ends in `end`, and keeps backslashes', () => {
    const words = applyWords(change, prior, {
      run: 'r-1',
      as: 'web 1',
      meta: { reason: "two words; it's $(id)\n" },
      stopTimeout: 9.7,
    });
    const lines = new Requests(NONCE).later('apply', 1, words).split('\n');
    expect(lines.slice(-2)).toEqual(['}', '']);
    const line = lines.at(-3)!;
    expect(line).toMatch(new RegExp(`^next ${NONCE} 1 apply .* end$`));
    expect(line).toContain('link=/etc/systemd/system/dev-disk-by\\x2did.mount');
    expect(line).toContain('stop-timeout=9');
    expect(line).not.toContain('$(id)');
  });

  it('says who and why in one shell word, from which both are read again', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ0 %&=+-_.\'"$`;|()*~!#\\/ü€') });
    fc.assert(
      fc.property(fc.record({ actor: text, reason: text }), (meta) => {
        expect(metaText(meta)).toMatch(/^[\w.%=&-]+$/);
        expect(metaFrom(metaText(meta))).toEqual(meta);
      }),
    );
    expect(metaFrom(metaText({}))).toEqual({});
  });

  it('says of a socket that ran under a mask that it is active in name', () => {
    const state = (id: string, load: string, active: string) => ({ id, load, file: 'masked', active });
    const words = (...states: ReturnType<typeof state>[]) =>
      undoWords(change, { ...prior, states, masks: [] }, [], { run: 'r-1', as: 'web1', meta: {}, stopTimeout: 9 });
    expect(words(state('a.socket', 'masked', 'active'))).toContain('deaf=a.socket');
    for (const other of [state('a.socket', 'loaded', 'active'), state('a.socket', 'masked', 'inactive')])
      expect(words(other)).not.toContain('deaf=a.socket');
    expect(words(state('a.service', 'masked', 'active'))).not.toContain('deaf=a.service');
  });

  it('takes a mask from before the run off for what ran under it, and for what waits to start that', () => {
    const mask = '/etc/systemd/system/a.service';
    const state = (id: string, active: string) => ({ id, load: 'masked', file: 'masked', active });
    const words = (...states: ReturnType<typeof state>[]) =>
      undoWords(change, { ...prior, states, masks: [mask] }, [], { run: 'r-1', as: 'web1', meta: {}, stopTimeout: 9 });
    expect(words(state('a.service', 'active'))).toContain(`lift=${mask}`);
    expect(words(state('a.service', 'inactive'), state('wake.timer', 'active'))).toContain(`lift=${mask}`);
    expect(words(state('a.service', 'inactive'), state('b.service', 'active'))).not.toContain(`lift=${mask}`);
    expect(words(state('a.service', 'inactive'), state('wake.timer', 'inactive'))).not.toContain(`lift=${mask}`);
  });

  it('carries a nonce of 96 bits that is never the same', () => {
    expect(newNonce()).toMatch(/^[0-9a-f]{24}$/);
    expect(newNonce()).not.toBe(newNonce());
  });
});

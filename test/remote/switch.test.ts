/** What is said and heard of switches. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rollbackProgram, wholeProgram } from '../../src/remote/program-source.ts';
import { arming, cksum, endsFrom, keepWords, switchesFrom } from '../../src/remote/switch.ts';

const switchOf = (text: string) => switchesFrom([{ kind: 'switch', text }]);

it('the checksum is that of cksum(1)', () => {
  const texts = [
    new Uint8Array(),
    new TextEncoder().encode(wholeProgram()),
    Uint8Array.from({ length: 70_000 }, (_, i) => i % 251),
  ];
  for (const text of texts) {
    const said = execFileSync('cksum', { input: text, encoding: 'utf8' });
    expect(`${cksum(text)} ${text.length}`).toBe(said.trim());
  }
});

it('the words of a switch tell what the stored files are, and these are a program and what starts it', () => {
  const { words, stored } = arming({ confirmWithin: 300, expires: 1796104800 }, 'r1', 'etc');
  expect(words.slice(0, 2)).toEqual(['confirm-within=300', 'expires=1796104800/2026-12-01/06:00:00']);
  const files = { program: stored.program, switch: stored.switch };
  for (const [name, text] of Object.entries(files)) {
    const [sum, size] = execFileSync('cksum', { input: `${text}\n`, encoding: 'utf8' })
      .trim()
      .split(' ');
    expect(words).toContain(`${name}=${text.split('\n').length},${sum},${size}`);
  }
  const lines = stored.program.split('\n');
  expect(lines.at(-1)).toMatch(/^\. ".*\/switch" && "\$\{2-fire\}" r1 etc$/);
  expect(lines.slice(0, -1).join('\n')).toBe(rollbackProgram());
});

it.each([
  ['r1 waiting 280 -', { run: 'r1', timer: 'waiting', confirmLeft: 280, expires: null }],
  ['r1 waiting ? 1796104800', { run: 'r1', timer: 'waiting', confirmLeft: 'unknown', expires: 1796104800 }],
  ['r1 waiting -3 -', { run: 'r1', timer: 'waiting', confirmLeft: 0, expires: null }],
  ['r1 dead - -', { run: 'r1', timer: 'none', confirmLeft: null, expires: null }],
  ['r1 running - 5', { run: 'r1', timer: 'firing', confirmLeft: null, expires: 5 }],
])('a host that tells %j is understood', (text, state) => {
  expect(switchOf(text)).toEqual([state]);
});

it.each(['', 'r1', 'r1 waiting', '../r1 waiting 3 -', 'r1 waiting 3 - more', 'r1 waiting 1e9 -', 'r1 \x1b[31m 3 -'])(
  'a host that tells %j tells nothing',
  (text) => {
    expect(switchOf(text)).toEqual([]);
  },
);

it('ends are of three kinds, and nothing else is one', () => {
  const told = (text: string) => endsFrom([{ kind: 'ended', text }]);
  expect(told('r1 1795359491 unconfirmed')).toEqual([{ run: 'r1', at: 1795359491, why: 'unconfirmed' }]);
  for (const text of ['r1 1795359491 bored', 'r1 now expired', 'r1 1 expired again']) expect(told(text)).toEqual([]);
});

it('whatever a host tells, it is a switch in form or none', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const { run, confirmLeft, expires } of switchOf(text)) {
        expect(run).toMatch(/^[A-Za-z0-9-]{1,64}$/);
        expect(typeof confirmLeft === 'number' ? confirmLeft >= 0 : true).toBe(true);
        expect(expires === null || Number.isSafeInteger(expires)).toBe(true);
      }
    }),
  );
});

it.each([
  [{ confirm: true, expires: null }, ['confirm=yes']],
  [{ confirm: false, expires: 'never' }, ['expires=never']],
  [{ confirm: false, expires: 0 }, ['expires=0/1970-01-01/00:00:00']],
] as const)('%j is asked for in words', (order, words) => {
  expect(keepWords(order)).toEqual(words);
});

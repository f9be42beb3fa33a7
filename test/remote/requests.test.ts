/** What is sent to a host: enough for each request, and no more. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bootstrap } from '../../src/remote/escalate.ts';
import { passwordCommand } from '../../src/remote/password-dialogue.ts';
import { part, partsOf, partsOfProbe, rollbackProgram, source, wholeProgram } from '../../src/remote/program-source.ts';
import { newNonce } from '../../src/remote/protocol.ts';
import { Requests, type Wish } from '../../src/remote/requests.ts';
import { arming } from '../../src/remote/switch.ts';

const NONCE = '0123456789abcdef01234567';
const ALL: readonly Wish[] = ['receipts=all', 'ways=yes', 'guard=yes', 'uses=yes', 'superservers=yes', 'members=yes'];
const CHANGES = ['apply', 'undo', 'keep'] as const;

const probe = (wishes: readonly Wish[] = []) => new Requests(NONCE).probe(0, ['cron.service'], wishes);

/** After a probe. */
function later(verb: (typeof CHANGES)[number], wishes: readonly Wish[] = []): string {
  const requests = new Requests(NONCE);
  requests.probe(0, ['cron.service'], wishes);
  return requests.later(verb, 1, ['run=r1']);
}

const functionsOf = (text: string) => [...text.matchAll(/^(\w+)\(\)/gm)].map(([, name = '']) => name);

describe('the program as it is sent', () => {
  const texts = {
    probe: probe(ALL),
    apply: later('apply'),
    undo: later('undo'),
    keep: later('keep'),
    rollback: rollbackProgram(),
  };

  it.each(Object.entries(texts))('has neither comments nor indentation, and parses (%s)', (_, text) => {
    expect(text).not.toMatch(/^\s*#/m);
    expect(text).not.toMatch(/^\s/m);
    // bash takes so many characters where its length says bytes
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    for (const shell of ['sh', 'bash']) expect(spawnSync(shell, ['-n'], { input: text }).status).toBe(0);
  });

  it('has each function once, for of two parts with the same one the later would win', () => {
    const functions = functionsOf(wholeProgram());
    expect(functions.length).toBeGreaterThan(100);
    expect(functions.filter((name, at) => functions.indexOf(name) !== at)).toEqual([]);
  });

  it('has all its files: a part that no request sends is dead', () => {
    const files = readdirSync('src/remote/program').filter((name) => name.endsWith('.sh')) as `${string}.sh`[];
    for (const file of files) expect(wholeProgram()).toContain(part(file));
  });

  it('goes to a host once: what an earlier request brought no later one brings again', () => {
    const requests = new Requests(NONCE);
    const all = [requests.probe(0, [], ALL), ...CHANGES.map((verb, at) => requests.later(verb, at + 1, []))].join('');
    const functions = functionsOf(all);
    expect(functions.filter((name, at) => functions.indexOf(name) !== at)).toEqual([]);
    expect(requests.later('undo', 4, []).length).toBeLessThan(100);
  });

  // what a host reads costs it time; a pipe of Linux holds 64 KiB
  it.each([
    ['a probe of status', probe(['receipts=all', 'members=yes']), 26],
    ['a probe for a mask', probe(['receipts=all', 'members=yes', 'guard=yes', 'ways=yes', 'triggers=yes']), 32],
    ['a probe that tells everything', probe(ALL), 39],
    ['a change', later('apply'), 22],
    ['an undo', later('undo'), 22],
    ['a decision', later('keep'), 12],
  ])('is short: %s', (_, text, kib) => {
    expect(text.length).toBeLessThan(kib * 1024);
  });

  it('is little more than a pipe holds with an automatic rollback that is stored', () => {
    const { words, stored } = arming({ confirmWithin: 300, expires: null }, 'r1', 'etc');
    expect(new Requests(NONCE).later('apply', 1, words, stored).length).toBeLessThan(88 * 1024);
  });

  it('is started by a command that any login shell passes on as it stands', () => {
    const marks = { asks: newNonce(), runs: newNonce() };
    const plain = (['auto', 'never', 'sudo', 'doas', 'su'] as const).map(bootstrap);
    for (const command of [...plain, passwordCommand('sudo', marks), passwordCommand('su', marks)]) {
      const inner = /^exec sh -c ('[^']+'(?: sh)?(?: '[^']+')*)$/.exec(command)?.[1] ?? '';
      expect(inner, 'single-quoted words').not.toBe('');
      expect(inner, 'nothing that csh or fish would expand in single quotes').not.toMatch(/[!\\\n]/);
    }
  });
});

/** Which functions each function names where the shell takes a word for a command, or that it hands to one that calls it. */
function callsIn(text: string): Map<string, string[]> {
  const known = new Set(functionsOf(wholeProgram()));
  const bodies = [...text.matchAll(/^(\w+)\(\) [{(]\n(.*?)^[})]$/gms)];
  const place =
    /(?<=(?:^|[;&|(!]|(?<!\$)\{|\$\(|\b(?:if|elif|else|while|until|then|do|ask|query|each_hit|each_started|step \S+|beside \S+)|\)) *)(\w+)(?!\w|=|\)|\|(?!\|))/gm;
  return new Map(
    bodies.map(([, name = '', body = '']) => [
      name,
      [...new Set([...body.matchAll(place)].map(([, word = '']) => word))].filter((word) => known.has(word)),
    ]),
  );
}

describe('each request brings all that it can come to call', () => {
  const calls = callsIn(wholeProgram());
  const verbs = ['probe', 'apply', 'undo', 'keep'];
  const asked: Record<string, Wish> = {
    tell_receipts: 'receipts=all',
    tell_ways: 'ways=yes',
    tell_guard: 'guard=yes',
    tell_uses: 'uses=yes',
    tell_served: 'superservers=yes',
    find_members: 'members=yes',
    find_user_units: 'members=yes',
  };

  function missing(verb: string, sent: string, wishes: readonly Wish[]): string[] {
    // what is read of an automatic rollback brings its own
    const there = new Set([...functionsOf(sent), ...functionsOf(part('switch.sh'))]);
    const left = Object.entries(asked).flatMap(([name, wish]) => (wishes.includes(wish) ? [] : [name]));
    const away = new Set([...left, ...verbs.filter((each) => each !== verb)]);
    // it writes for a request that did something
    if (verb === 'probe') away.add('audit');
    if (verb !== 'apply') away.add('arm_switch');
    const reached = new Set(['main', 'next', verb]);
    for (const name of reached) for (const called of calls.get(name) ?? []) if (!away.has(called)) reached.add(called);
    expect(reached.size).toBeGreaterThan(25);
    return [...reached].filter((name) => !there.has(name));
  }

  it.each([[], ...ALL.map((wish) => (wish === 'uses=yes' ? (['guard=yes', wish] as const) : [wish])), ALL])(
    'a probe (%s %s)',
    (...wishes) => {
      const kept = wishes.filter((wish) => typeof wish === 'string') as Wish[];
      expect(missing('probe', source(partsOfProbe(kept)), kept)).toEqual([]);
    },
  );

  it.each(CHANGES)('%s', (verb) => {
    expect(missing(verb, source([...partsOfProbe([]), ...partsOf(verb)]), [])).toEqual([]);
  });

  it('an automatic rollback', () => {
    for (const begin of ['fire', 'resume']) {
      calls.set('undo', calls.get(begin) ?? []);
      expect(missing('undo', rollbackProgram(), []).filter((name) => name !== 'undo')).toEqual([]);
    }
  });

  it('and the search for calls finds them', () => {
    expect(calls.get('put_back')).toEqual(
      expect.arrayContaining(['find_closed', 'restore_links', 'end_started', 'prove', 'is_unread']),
    );
    expect(calls.get('change_links')).toEqual(expect.arrayContaining(['note', 'take', 'displace', 'rest_switches']));
    expect(calls.get('tell_ways')).toEqual(expect.arrayContaining(['note_telling', 'tell_hit']));
    expect(missing('apply', source(partsOfProbe([])), [])).toEqual(
      expect.arrayContaining(['apply', 'begin', 'look', 'audit']),
    );
  });
});

it('a request cannot be made of words that would end early or begin another', () => {
  for (const word of ['a b', 'a\nb', "a'b", '', 'ü']) {
    expect(() => new Requests(NONCE).later('apply', 1, [word])).toThrow(/not a word/);
    expect(() => new Requests(NONCE).probe(0, [word])).toThrow(/not a word/);
  }
});

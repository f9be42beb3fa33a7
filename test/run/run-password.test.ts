/** A password of a run: one host proves it, and after one refusal nobody is told. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/model/index.ts';
import { RunPassword } from '../../src/run/host/run-password.ts';

const never = new AbortController().signal;
const fresh = () => new RunPassword(new Secret('the password', 's3cret'));
const moment = () => new Promise((resolve) => setImmediate(resolve));

/** Follows a loan: `waiting` until it is lent or withheld. */
function follow(password: RunPassword, host: string, deadline = never) {
  const state = { is: 'waiting', why: '' };
  void password
    .on(host)
    .lend(deadline)
    .then((loan) => Object.assign(state, loan.kind === 'lent' ? { is: 'lent' } : { is: 'withheld', why: loan.why }));
  return state;
}

describe('a password is lent', () => {
  it('to one host, and to the others when that one has taken it', async () => {
    const password = fresh();
    const [first, second, third] = ['a', 'b', 'c'].map((host) => follow(password, host));
    await moment();
    expect([first?.is, second?.is, third?.is]).toEqual(['lent', 'waiting', 'waiting']);
    password.on('a').settle('accepted');
    await moment();
    expect([second?.is, third?.is]).toEqual(['lent', 'lent']);
  });

  it('to nobody after one refused it', async () => {
    const password = fresh();
    const waiting = [follow(password, 'a'), follow(password, 'b')];
    await moment();
    password.on('a').settle('refused');
    await moment();
    expect(waiting[1]).toEqual({ is: 'withheld', why: expect.stringMatching(/^a refused the password/) });
    const again = follow(password, 'a');
    await moment();
    expect(again.is, 'nor to that host again').toBe('withheld');
  });

  it('to nobody after the first gave no answer: it may have been a failure', async () => {
    const password = fresh();
    const waiting = [follow(password, 'a'), follow(password, 'b')];
    await moment();
    password.on('a').settle('unknown');
    await moment();
    expect(waiting[1]).toMatchObject({ is: 'withheld', why: expect.stringMatching(/could not be proved on a/) });
  });

  it('to the next when the first did not use it', async () => {
    const password = fresh();
    const waiting = [follow(password, 'a'), follow(password, 'b'), follow(password, 'c')];
    await moment();
    password.on('a').settle('unused');
    await moment();
    expect(waiting.map(({ is }) => is)).toEqual(['lent', 'lent', 'waiting']);
  });

  it('again to a host that took it, whatever happens elsewhere: it may have to be put back', async () => {
    const password = fresh();
    follow(password, 'a');
    await moment();
    password.on('a').settle('accepted');
    follow(password, 'b');
    await moment();
    password.on('b').settle('refused');
    const states = [follow(password, 'a'), follow(password, 'c')];
    await moment();
    expect(states.map(({ is }) => is)).toEqual(['lent', 'withheld']);
  });

  it('still when one host after the proof gave no answer', async () => {
    const password = fresh();
    follow(password, 'a');
    await moment();
    password.on('a').settle('accepted');
    follow(password, 'b');
    await moment();
    password.on('b').settle('unknown');
    const next = follow(password, 'c');
    await moment();
    expect(next.is).toBe('lent');
  });

  it('to nobody whose time is up', async () => {
    const password = fresh();
    const up = new AbortController();
    follow(password, 'a');
    const second = follow(password, 'b', up.signal);
    await moment();
    up.abort();
    await moment();
    expect(second.is).toBe('withheld');
  });
});

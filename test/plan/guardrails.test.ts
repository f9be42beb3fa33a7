/** What an administrator forbids is found under every name that a unit has. */
import { describe, expect, it } from 'vitest';
import { matches, NO_GUARDRAILS, whyNot } from '../../src/plan/guardrails.ts';

const rules = (...patterns: string[]) =>
  patterns.map((pattern, i) => ({ pattern, at: `/etc/fleetmask/config.yaml:${i + 2}` }));
const never = (...patterns: string[]) => ({ ...NO_GUARDRAILS, neverMask: rules(...patterns) });
const only = (...patterns: string[]) => ({ ...NO_GUARDRAILS, onlyMask: rules(...patterns) });

it('a pattern takes * and ?, and without a suffix units of every kind', () => {
  expect(['cron.service', 'cron.timer', 'cron'].map((name) => matches('cron', name))).toEqual([true, true, true]);
  expect(['cron.service', 'cron.timer'].map((name) => matches('cron.service', name))).toEqual([true, false]);
  expect(matches('ssh*', 'sshd.socket')).toBe(true);
  expect(matches('*.socket', 'sshd.socket')).toBe(true);
  expect(matches('s?h', 'ssh.service')).toBe(true);
  expect(matches('cron', 'anacron.service')).toBe(false);
  // in time that does not explode
  expect(matches(`${'*a'.repeat(40)}*b`, 'a'.repeat(255))).toBe(false);
});

describe('never-mask', () => {
  it.each([
    ['its name', 'crond.service', ['crond.service']],
    ['an alias', 'dbus.service', ['dbus-broker.service', 'dbus.service']],
    ['its logical name', 'cron', ['crond.service']],
    ['a synonym of that', 'sshd', ['ssh.service']],
    ['a pattern', 'ssh*', ['ssh.socket']],
  ])('finds %s', (_, pattern, names) => {
    expect(whyNot(never('x', pattern), names[0]!, names)).toContain(
      `never-mask "${pattern}" in /etc/fleetmask/config.yaml:3`,
    );
  });

  it('leaves the rest alone', () => {
    expect(whyNot(never('cron', 'ssh*'), 'cups.service', ['cups.service'])).toBeNull();
  });
});

it('only-mask lets pass what one of its patterns names, by any name', () => {
  expect(whyNot(only('cron', 'cups*'), 'crond.service', ['crond.service'])).toBeNull();
  expect(whyNot(only('cron', 'cups*'), 'cups.socket', ['cups.socket'])).toBeNull();
  expect(whyNot(only('cron'), 'cups.service', ['cups.service'])).toMatch(
    /matches no pattern of only-mask in .*config.yaml:2/,
  );
});

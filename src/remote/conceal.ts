/**
 * A host that was told a password may repeat it: in messages, in its own name, in the properties of units. It is taken out where
 * the host's words come in, before anything is made of them, so that no journal, report or screen can have it. Words of our own
 * are not looked at: a password may be `wrong`.
 */

import { isUnitName, type Secret } from '../model/index.ts';
import type { Ended } from '../transport/transport.ts';
import type { HostRecord } from './blocks.ts';
import { wholeProgram } from './program-source.ts';

/** Takes the secrets that a host may know out of a text. */
export type Conceal = (text: string) => string;

const nothingToConceal: Conceal = (text) => text;

/** What systemd and distributions say of every host, besides the words of the remote program. */
const WORDS = new Set(
  `loaded masked not-found stub bad-setting error merged active inactive failed activating deactivating reloading maintenance
   refreshing enabled enabled-runtime linked linked-runtime alias masked-runtime static indirect disabled generated transient
   bad dead running exited listening waiting mounted plugged elapsed yes no control-group mixed process none initializing
   starting degraded stopping offline unknown Failed to start stop Unit is masked. refused debian ubuntu rocky almalinux
   centos rhel fedora suse opensuse arch linux`.split(/\s+/),
);

/**
 * For a host that knows these secrets, and is asked about these units. A secret that is a word of what is spoken with every host
 * is not looked for: it would be found everywhere, and the gaps would tell it.
 */
export function concealing(secrets: readonly Secret[], names: readonly string[]): Conceal {
  if (secrets.length === 0) return nothingToConceal;
  const ordinary = [wholeProgram(), ...WORDS, ...names].join('\n');
  const sought = secrets.filter((secret) => secret.hideIn(ordinary) === ordinary);
  return (text) => sought.reduce((rest, secret) => secret.hideIn(rest), text);
}

/** Where unit files are. */
const UNIT_DIRECTORY = /^(?:\/usr)?(?:\/local)?\/(?:etc|run|lib|share)\/systemd\/[a-z.]+\//;

/**
 * Names of units, and paths of unit files and control groups made of them, decide what is done: they pass `records.ts`, and
 * are kept. So are the words that systemd has for states.
 */
function isKnown(value: string): boolean {
  if (WORDS.has(value) || /^\d*$/.test(value)) return true;
  const path = value.replace(UNIT_DIRECTORY, '').replace(/^\//, '');
  return path.split(/[/ ]/).every((name) => isUnitName(name.replace(/\.(?:d|wants|requires)$/, '')));
}

export function concealed(records: readonly HostRecord[], conceal: Conceal): HostRecord[] {
  return records.map(({ kind, text }) => {
    const hidden = conceal(text);
    // of a version no more is taken than its first number, which decides what can be proved there
    if (hidden === text || (kind === 'manager' && /^Version=\d/.test(text))) return { kind, text };
    const [, key = '', value = text] = /^([A-Za-z_]+=)(.*)$/s.exec(text) ?? [];
    return { kind, text: isKnown(value) ? text : `${key}${conceal(value)}` };
  });
}

/** The same for how a process ended. */
export function concealedEnd(ended: Ended, conceal: Conceal): Ended {
  const stderr = conceal(ended.stderr);
  if (ended.how === 'lost') return { ...ended, stderr, why: conceal(ended.why) };
  if (ended.how === 'signalled') return { ...ended, stderr, signal: conceal(ended.signal) };
  return { ...ended, stderr };
}

/** Whose a file is: as with ssh's StrictModes, what others can write is not read, and what others own is not ours. */
import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { printable, UsageError } from '../../model/index.ts';
import type { Io } from '../io.ts';

type Who = Pick<Io, 'uid' | 'home' | 'env' | 'cwd'>;

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** As the kernel's own limit. */
const MOST_LINKS = 40;

/**
 * Throws UsageError, with the command that mends it, where somebody else than we and root could have written what is at `path`, or could
 * put something else there: its owner and mode, and those of each directory and link on the way. Directories above the home directory are
 * not looked at, as by ssh. A directory that all may write is in order where it is sticky (/tmp): others cannot replace our files there.
 * What is not there yet is in order if its directory is. An ACL that lets others write shows as the group's permission.
 *
 * A relative path is one of the current directory. `what`: how messages call it: `these settings`. `instead`: what else can be done.
 */
export function assertOurs(who: Who, path: string, what: string, instead?: string): void {
  const owners = ownersFor(who);
  const home = realHome(who.home);
  const rest = (isAbsolute(path) ? path : join(who.cwd, path)).split('/').filter((part) => part !== '' && part !== '.');
  let at = '/';
  let links = 0;
  let stat: Stats = lstatSync(at);
  const refuse = (place: string, why: string, command: string) =>
    new UsageError(
      `${printable(path)}: ${what} cannot be trusted: ${place === path ? '' : `${printable(place)} `}${why}`,
      [`Check ${what}, then: ${command}`, ...(instead === undefined ? [] : [instead])].join('; '),
    );
  /** Directories that were passed, for those outside the home directory. */
  let passed: { place: string; stat: Stats }[] = [{ place: at, stat }];
  const check = ({ place, stat }: { place: string; stat: Stats }) => {
    if (!owners.has(stat.uid))
      throw refuse(place, `belongs to ${nameOf(stat.uid)}`, `chown ${ownName(who)} ${shellWord(place)}`);
    const shared = stat.isDirectory() && (stat.mode & STICKY) !== 0;
    if ((stat.mode & OTHERS_WRITE) !== 0 && !shared && !stat.isSymbolicLink()) {
      throw refuse(place, `can be written by others (mode ${octal(stat.mode)})`, `chmod go-w ${shellWord(place)}`);
    }
  };
  while (rest.length > 0) {
    const name = rest.shift()!;
    if (name === '..') {
      at = join(at, '..');
      continue;
    }
    const place = join(at, name);
    try {
      stat = lstatSync(place);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') break;
      throw new UsageError(`${printable(place)}: cannot be read: ${code}`);
    }
    // home itself is ours to answer for; what is above it is not
    if (place === home) passed = [];
    passed.push({ place, stat });
    if (stat.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) throw new UsageError(`${printable(path)}: too many symbolic links`);
      const target = readlinkSync(place);
      rest.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'));
      if (isAbsolute(target)) at = '/';
      continue;
    }
    at = place;
  }
  passed.forEach(check);
}

/** We and root; of root under sudo also the user who called it, who is root already. */
function ownersFor({ uid, env }: Who): ReadonlySet<number> {
  const caller = uid === 0 && /^\d+$/.test(env.SUDO_UID ?? '') ? Number(env.SUDO_UID) : uid;
  return new Set([0, uid, caller]);
}

function realHome(home: string): string | null {
  try {
    return realpathSync(home);
  } catch {
    return null;
  }
}

function nameOf(uid: number): string {
  return uid === 0 ? 'root' : `uid ${uid}`;
}

function ownName({ uid }: Who): string {
  return uid === 0 ? 'root' : String(uid);
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", `'\\''`)}'`;
}

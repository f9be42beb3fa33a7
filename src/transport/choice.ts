import { readFile } from 'node:fs/promises';
import { printable, type Target } from '../model/index.ts';
import { KnownHosts } from './host-keys/known-hosts.ts';
import { type HostKeyDefaults, hostKeyPolicy, knownAs } from './host-keys/policy.ts';
import type { KeyRing } from './identities/identities.ts';
import type { Transport } from './transport.ts';

/** Why a host needs ssh itself, a phrase each, safe to print; none: ssh2 will do. Connects to nothing, asks nobody. */
export type NeedOfSsh = (target: Target) => Promise<Need>;

export interface Need {
  /** What ssh_config or known_hosts ask for. */
  readonly asked: readonly string[];
  /** What there is to log in with. */
  readonly identities: readonly string[];
}

export function needOfSsh(keys: KeyRing, defaults: HostKeyDefaults): NeedOfSsh {
  const authorities = new Map<string, Promise<KnownHosts | undefined>>();

  const ofHostKey = async (target: Target): Promise<readonly string[]> => {
    const { files } = hostKeyPolicy(target, defaults);
    const key = files.join('\0');
    const known = authorities.get(key) ?? withAuthorities(files);
    authorities.set(key, known);
    const authority = (await known)?.onlyAuthority(knownAs(target));
    return authority === undefined ? [] : [`the authority of ${printable(authority.file)}:${authority.line}`];
  };
  const needs: NeedOfSsh = async (target) => {
    const [identities, hostKey] = await Promise.all([keys.beyondSsh2(target), ofHostKey(target)]);
    const { proxy, needsSsh = [], certificateFiles = [] } = target;
    // a bastion is told no password: its identities count whatever there is for the host
    const via = proxy?.kind === 'jump' ? await needs(proxy.via) : { asked: [], identities: [] };
    const asked = [...needsSsh.map((phrase) => printable(phrase, 200)), ...hostKey, ...via.asked, ...via.identities];
    const beside = identities.filter((phrase) => !certificateFiles.some((file) => phrase.endsWith(printable(file))));
    return { asked: [...new Set(asked)], identities: beside };
  };
  return needs;
}

/** Most files have no authority in them, and then there is no host to look up. */
async function withAuthorities(files: readonly string[]): Promise<KnownHosts | undefined> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  if (!texts.some((text) => text.includes('@cert-authority'))) return undefined;
  const known = new KnownHosts();
  for (const [index, text] of texts.entries()) known.addFile(files[index]!, text);
  return known;
}

/**
 * One transport for some of a run's hosts and another for the rest. `ssh`: where ssh2 turns out to lack what a host wants, before or while it
 * logs in, the program ssh is tried, from then on at once; the first of them is told of.
 */
export function perHost(
  of: (target: Target) => Transport,
  all: readonly Transport[],
  ssh?: { readonly transport: Transport; note(text: string): void },
): Transport {
  const moved = new Set<string>();
  const told = new Set<string>();
  /** Where ssh was refused as well: each try is one more failed login, and those are counted. */
  const vain = new Set<string>();
  return {
    async connect(target, signal, first) {
      const usual = moved.has(target.host) ? ssh!.transport : of(target);
      const made = await usual.connect(target, signal, first);
      if (ssh === undefined || usual === ssh.transport || !('fault' in made) || made.onlySsh === undefined) return made;
      if (vain.has(made.onlySsh)) return made;
      const again = await ssh.transport.connect(target, signal, first);
      if ('fault' in again) {
        if (again.fault.kind === 'auth' && made.fault.kind === 'auth') vain.add(made.onlySsh);
        return made.fault.kind === 'auth' ? made : again;
      }
      moved.add(target.host);
      if (!told.has(made.onlySsh))
        ssh.note(`${printable(target.host, 100)}: by OpenSSH, which ${made.onlySsh} needs; so are hosts like it`);
      told.add(made.onlySsh);
      return again;
    },
    close() {
      for (const transport of all) transport.close();
    },
  };
}

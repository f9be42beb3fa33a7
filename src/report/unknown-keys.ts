import type { Failure } from './failure.ts';
import { countHosts, group, type Naming, nameHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { prose } from './prose.ts';
import { safe } from './text.ts';

/**
 * The host keys that nobody has vouched for, of all hosts at once, a line for each key, and the way forward. When every host
 * is named, with the lines for known_hosts; they are whole, for they are copied. Empty where there are none.
 */
export function unknownKeys(failures: readonly Failure[], screen: Screen, naming: Naming): string {
  const unknown = failures.flatMap(({ host, fault, style }) =>
    fault.hostKey === undefined ? [] : [{ host, style, ...fault.hostKey }],
  );
  const [first] = unknown;
  if (first === undefined) return '';
  const head = `${unknown.length === 1 ? 'The host key' : 'The host keys'} of ${countHosts(unknown.length)}`;
  const keys = group(unknown, ({ type, fingerprint }) => `${type} ${fingerprint}`).map((same) =>
    prose([{ text: `${same[0]!.type} ${same[0]!.fingerprint} ${nameHosts(hostsOf(same), naming)}` }], screen, '  '),
  );
  const lines = naming === 'all' ? unknown.map(({ line }) => `${safe(line)}\n`) : [];
  return [
    prose([{ text: head, style: first.style }, { text: ' are not known; nobody was logged in to:' }], screen),
    ...keys,
    prose(
      [
        {
          text: `hint: ${HINT}${naming === 'all' ? ' Or add to known_hosts:' : ' -v shows the lines for known_hosts.'}`,
          style: 'quiet',
        },
      ],
      screen,
      '  ',
    ),
    ...new Set(lines),
  ].join('');
}

const HINT =
  'Compare the fingerprints with those on the hosts (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); if they are equal, run again with --host-key-checking accept-new.';

function hostsOf(keys: readonly { readonly host: string }[]): string[] {
  return keys.map(({ host }) => host);
}

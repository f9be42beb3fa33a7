import type { Screen } from './output.ts';
import { paint } from './paint.ts';
import { safe } from './text.ts';

/** One host of an inventory. */
export interface HostCard {
  readonly host: string;
  readonly groups: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  /** By the names that `ssh -G` gives them; null: it cannot be connected to. */
  readonly connection: Readonly<Record<string, string | number | readonly string[]>> | null;
}

/** What tells where and as whom one connects; the rest is in the JSON. */
const SHOWN = new Set(
  `hostname port user identityfile certificatefile identitiesonly identityagent proxyjump proxycommand hostkeyalias
   userknownhostsfile globalknownhostsfile stricthostkeychecking connecttimeout serveraliveinterval addressfamily
   bindaddress`.split(/\s+/),
);

/** `inventory host`: groups, variables and connection, a line each. */
export function hostCard({ host, groups, vars, connection }: HostCard, screen: Screen): string {
  const title = (text: string): string => paint(screen, 'title', text);
  const line = (name: string, value: string): string => `  ${safe(name).padEnd(22)} ${safe(value)}`.trimEnd();
  const variables = Object.entries(vars).map(([name, value]) => line(name, inWords(value)));
  const settings = Object.entries(connection ?? {}).filter(([key]) => SHOWN.has(key));
  return [
    title(safe(host)),
    line('groups', groups.join(', ') || '(none)'),
    title('variables'),
    ...(variables.length > 0 ? variables : ['  (none)']),
    title('connection'),
    ...(connection === null
      ? ['  (it cannot be connected to)']
      : settings.flatMap(([key, value]) => [value].flat().map((one) => line(key, String(one))))),
    '',
  ].join('\n');
}

/** A variable's value; of what YAML tags wrap, only what is in it. What is encrypted is of no use to a reader. */
function inWords(value: unknown): string {
  const plain = unwrapped(value);
  return typeof plain === 'string' ? plain : JSON.stringify(value, (_key, inner) => unwrapped(inner));
}

function unwrapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('__ansible_vault' in value) return '(vault)';
  return '__ansible_unsafe' in value ? value.__ansible_unsafe : value;
}

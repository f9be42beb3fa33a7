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
  const variables = Object.entries(vars).map(([name, value]) =>
    line(name, typeof value === 'string' ? value : JSON.stringify(value)),
  );
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

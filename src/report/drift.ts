import type { Event } from '../model/index.ts';
import type { Screen } from './output.ts';
import type { Style } from './paint.ts';
import { prose } from './prose.ts';

type Drift = Extract<Event, { type: 'drift' }>;

const STYLES: Readonly<Partial<Record<Drift['what'], Style>>> = {
  'as-asked': 'good',
  reasserted: 'good',
};

/** `12:03:10Z web1 cron.service unmasked: is not masked: loaded, enabled, active` */
export function driftLine({ at, host, unit, what, message }: Drift, screen: Screen): string {
  const where = [host, ...(unit === null ? [] : [unit])].join(' ');
  const when = { text: `${at.slice(11, 19)}Z `, style: 'quiet' } as const;
  return prose(
    [when, { text: `${where} ` }, { text: what, style: STYLES[what] ?? 'alarm' }, { text: `: ${message}` }],
    screen,
  );
}

/** What one seed stands for: hosts, what is asked of them, and what goes wrong. Pure data, so that a trace can show it. */
import type { Ask } from '../../src/model/index.ts';
import type { Share } from '../../src/plan/host-count.ts';
import { type Image, maskPaths } from './machine.ts';
import type { Fate, Greeting } from './network.ts';
import type { Random } from './random.ts';
import type { UnitFile } from './systemd.ts';

/** When something happens on a host: at a time, or so long after the run has changed something there for the nth time. */
export type When = { readonly ms: number } | { readonly mutation: number; readonly plus: number };

export type Meddling = 'mask' | 'remake' | 'unmask' | 'start' | 'stop' | 'trigger';

/** One fault of the world around the program. `host` is an index. */
export type Trouble =
  | { readonly kind: 'greeting'; readonly host: number; readonly connect: number; readonly greeting: Greeting }
  | { readonly kind: 'message'; readonly host: number; readonly message: number; readonly fate: Fate }
  | { readonly kind: 'down'; readonly host: number; readonly when: When; readonly ms: number }
  | { readonly kind: 'reboot'; readonly host: number; readonly when: When; readonly ms: number }
  /** The address leads to another machine from this connection on. */
  | { readonly kind: 'moved'; readonly host: number; readonly connect: number }
  | { readonly kind: 'locked'; readonly host: number; readonly when: When; readonly ms: number }
  | { readonly kind: 'frozen'; readonly host: number; readonly when: When; readonly ms: number }
  | { readonly kind: 'disk-full'; readonly host: number; readonly writes: number }
  | { readonly kind: 'read-only'; readonly host: number; readonly when: When; readonly dir: '/etc' | '/run' | '/var' }
  | { readonly kind: 'meddling'; readonly host: number; readonly when: When; readonly what: Meddling }
  | { readonly kind: 'never-stops' | 'starts-again' | 'start-fails'; readonly host: number }
  | {
      readonly kind: 'pretends-to-stop' | 'starts-masked' | 'tells-done' | 'tells-undone' | 'tells-nothing';
      readonly host: number;
    }
  | { readonly kind: 'crash'; readonly operation: number; readonly moment: 'before' | 'after'; readonly power: boolean }
  | { readonly kind: 'killed'; readonly ms: number; readonly power: boolean }
  | { readonly kind: 'journal-full'; readonly write: number; readonly writes: number; readonly torn: boolean }
  | { readonly kind: 'sync-fails'; readonly sync: number; readonly syncs: number }
  | { readonly kind: 'interrupt'; readonly ms: number };

export interface Scenario {
  readonly hosts: readonly { readonly image: Image; readonly latency: number }[];
  readonly ask: Ask;
  readonly rollback: 'host' | 'none' | 'fleet';
  /** Absent: all hosts are one wave. */
  readonly waves?: readonly Share[];
  readonly maxFail?: Share;
  /** With recover or with rollback the hosts of a dead run are settled. */
  readonly afterCrash: 'recover' | 'rollback';
  readonly forks: number;
  readonly hostTimeout: number;
  readonly troubles: readonly Trouble[];
  /** Whether a run is rolled back in the end where it succeeded, and whether the operator who interrupts it wants that. */
  readonly undone: boolean;
}

export const A = 'fm-a.service';
export const SOCKET = 'fm-a.socket';
const B = 'fm-b.service';
export const C = 'fm-c.service';

export function draw(random: Random): Scenario {
  const count = random.pick([1, 1, 1, 2, 2, 3, 4]);
  const ask = drawAsk(random);
  const troubles = drawTroubles(random, count);
  const hosts = Array.from({ length: count }, (_, host) => ({
    image: drawImage(
      random,
      ask,
      troubles.filter((trouble) => 'host' in trouble && trouble.host === host),
    ),
    latency: random.spread(1, 60),
  }));
  return {
    hosts,
    ask,
    troubles,
    rollback: random.pick(['host', 'host', 'host', 'host', 'fleet', 'fleet', 'none']),
    ...(random.oneIn(3) ? { waves: [{ kind: 'hosts', count: random.int(1, 2) }] } : {}),
    ...(random.oneIn(4) ? { maxFail: { kind: 'hosts', count: random.int(0, 1) } } : {}),
    afterCrash: random.pick(['recover', 'recover', 'rollback']),
    forks: random.int(1, 3),
    hostTimeout: random.pick([20_000, 60_000, 120_000]),
    undone: random.oneIn(2),
  };
}

function drawAsk(random: Random): Ask {
  return {
    verb: random.oneIn(4) ? 'unmask' : 'mask',
    units: random.pick([[A], [A], [A], [SOCKET], [A, SOCKET], [A, C], [SOCKET, A, C]]),
    now: !random.oneIn(4),
    runtime: random.oneIn(4),
    allowAbsent: random.oneIn(2),
    killLeftovers: false,
    localUnits: 'refuse',
    allowLockout: false,
    withTriggers: random.oneIn(3),
    startProbe: !random.oneIn(6),
  };
}

function drawImage(random: Random, ask: Ask, troubles: readonly Trouble[]): Image {
  const has = (kind: Trouble['kind']) => troubles.some((trouble) => trouble.kind === kind);
  const stop = has('never-stops')
    ? 'never'
    : has('starts-again')
      ? 'again'
      : random.oneIn(3)
        ? random.spread(50, 30_000)
        : undefined;
  const a: UnitFile = {
    name: A,
    installable: random.oneIn(2),
    refuseManualStop: random.oneIn(12),
    ...(stop === undefined ? {} : { stop }),
    ...(has('start-fails') ? { start: 'fails' } : {}),
  };
  const relation = random.pick(['requires', 'bindsTo', 'partOf', 'none'] as const);
  const units: UnitFile[] = [
    ...(random.oneIn(25) ? [] : [a]),
    { name: SOCKET, installable: true },
    { name: B, installable: random.oneIn(2), ...(relation === 'none' ? {} : { [relation]: [A] }) },
    { name: C, installable: random.oneIn(2) },
  ];
  const running = random.some(units.map(({ name }) => name)).sort(socketsFirst);
  const masks = drawMasks(random, ask);
  const when = random.pick(['first', 'first', 'later', 'unread'] as const);
  return {
    units,
    enabled: random.some(units.filter(({ installable }) => installable).map(({ name }) => name)),
    running,
    masks: when === 'first' ? masks : [],
    laterMasks: when === 'later' ? masks : [],
    unreadMasks: when === 'unread' ? masks : [],
  };
}

/** To be unmasked, a unit is masked most of the time. */
function drawMasks(random: Random, { verb }: Ask): string[] {
  return [A, SOCKET, C].flatMap((unit) => {
    if (!random.oneIn(verb === 'unmask' ? 1.3 : 5)) return [];
    const { etc, run } = maskPaths(unit);
    return random.pick([[etc], [etc], [run], [etc, run]]);
  });
}

function socketsFirst(a: string, b: string): number {
  return Number(b.endsWith('.socket')) - Number(a.endsWith('.socket'));
}

function drawTroubles(random: Random, hosts: number): Trouble[] {
  const count = random.pick([0, 1, 1, 1, 1, 1, 2, 2, 3, 4]);
  return Array.from({ length: count }, () => drawTrouble(random, random.int(0, hosts - 1)));
}

function drawWhen(random: Random): When {
  return random.oneIn(3)
    ? { ms: random.spread(5, 30_000) }
    : { mutation: random.pick([1, 1, 2, 2, 3, 4, 5]), plus: random.spread(1, 400) };
}

function drawTrouble(random: Random, host: number): Trouble {
  const when = drawWhen(random);
  const ms = random.spread(100, 600_000);
  const kind = random.pick(KINDS);
  switch (kind) {
    case 'greeting':
      return { kind, host, connect: random.pick([1, 2, 2, 2, 3]), greeting: random.pick(['refused', 'hangs']) };
    case 'message':
      return { kind, host, message: random.pick([1, 2, 2, 2, 2, 3, 3, 4]), fate: drawFate(random) };
    case 'down':
      return { kind, host, when, ms: random.oneIn(4) ? Number.POSITIVE_INFINITY : ms };
    case 'reboot':
      return { kind, host, when, ms: random.oneIn(5) ? 300_000 : random.spread(2000, 40_000) };
    case 'locked':
    case 'frozen':
      return { kind, host, when: random.oneIn(2) ? { ms: 0 } : when, ms };
    case 'disk-full':
      return { kind, host, writes: random.int(0, 8) };
    case 'read-only':
      return { kind, host, when: random.oneIn(2) ? { ms: 0 } : when, dir: random.pick(['/etc', '/run', '/var']) };
    case 'meddling':
      return { kind, host, when, what: random.pick(['mask', 'remake', 'unmask', 'start', 'stop', 'trigger']) };
    case 'crash':
      return { kind, operation: random.int(1, 12), moment: random.pick(['before', 'after']), power: random.oneIn(2) };
    case 'killed':
      return { kind, ms: random.spread(5, 30_000), power: random.oneIn(2) };
    case 'journal-full': {
      const writes = random.pick([1, Number.POSITIVE_INFINITY]);
      return { kind, write: random.int(2, 8), writes, torn: random.oneIn(2) };
    }
    case 'sync-fails':
      return { kind, sync: random.int(2, 8), syncs: random.pick([1, Number.POSITIVE_INFINITY]) };
    case 'interrupt':
      return { kind, ms: random.spread(1, 5000) };
    case 'moved':
      return { kind, host, connect: random.int(2, 3) };
    default:
      return { kind, host };
  }
}

/** What is likelier stands here more often. */
const KINDS = [
  ...(['greeting', 'message', 'message', 'message', 'message', 'down', 'reboot', 'reboot', 'moved', 'locked'] as const),
  ...([
    'frozen',
    'disk-full',
    'read-only',
    'meddling',
    'meddling',
    'never-stops',
    'starts-again',
    'start-fails',
  ] as const),
  ...(['pretends-to-stop', 'starts-masked', 'tells-done', 'tells-undone', 'tells-nothing'] as const),
  ...(['crash', 'crash', 'crash', 'killed', 'journal-full', 'sync-fails', 'interrupt'] as const),
];

function drawFate(random: Random): Fate {
  const lostAfter = random.pick([5000, 45_000, 3_600_000]);
  switch (random.pick(['cut', 'half-answered', 'silence', 'silence', 'repeat'] as const)) {
    case 'cut':
      return { kind: 'cut', delivered: random.pick(['nothing', 'half', 'all']) };
    case 'half-answered':
      return { kind: 'half-answered' };
    case 'silence':
      return { kind: 'silence', delivered: random.pick(['never', 0, random.spread(10, 900_000)]), lostAfter };
    case 'repeat':
      return { kind: 'repeat', after: random.spread(1, 900_000) };
  }
}

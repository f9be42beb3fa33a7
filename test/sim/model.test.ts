/**
 * The modelled host against the remote program itself on the embedded fleet's systemd: whatever is asked, in whatever order, repeated or late,
 * both tell the same and come to the same. What the simulation proves holds as far as this does.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Evidence, UnitFacts } from '../../src/model/index.ts';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { Answer } from '../../src/remote/protocol.ts';
import { receiptsFrom } from '../../src/remote/receipts.ts';
import { evidenceFrom, factsFrom } from '../../src/remote/records.ts';
import { Requests, type Wish } from '../../src/remote/requests.ts';
import { run } from '../contract/systemd-under-test.ts';
import { sleeper, WANTED } from '../contract/units.ts';
import { SHELLS } from '../demo/shells.ts';
import { SimulatedHost } from '../demo/simulated-host.ts';
import { Machine, maskPaths } from './machine.ts';
import { Random } from './random.ts';
import { MASK, type UnitFile, VENDOR, WANTS } from './systemd.ts';
import { Time } from './time.ts';

const A = 'fm-a.service';
const SOCKET = 'fm-a.socket';
const NAMES = [A, SOCKET, 'fm-b.service', 'fm-c.service', 'fm-none.service'];
const TRIALS = Number(process.env.FLEETMASK_SIM_TRIALS ?? 12);

/** A host, modelled or not, and the conversations with it. */
interface Host {
  /** As somebody who sits there. */
  act(doing: Doing): Promise<void>;
  /** One more session. */
  converse(): Conversation;
  /** Links to /dev/null below the directories of units, and what is not inactive. */
  state(): Promise<{ masks: string[]; active: string[] }>;
}

interface Conversation {
  ask(text: string, answer: Answer): Promise<readonly HostRecord[]>;
  end(): Promise<void>;
}

type Doing =
  | { readonly what: 'start' | 'stop'; readonly unit: string }
  | { readonly what: 'link' | 'unlink'; readonly path: string }
  | { readonly what: 'reload' };

const hosts: SimulatedHost[] = [];
afterEach(() => Promise.all(hosts.splice(0).map((host) => host.dispose())));

async function realHost(units: readonly UnitFile[], enabled: readonly string[]): Promise<Host> {
  const host = await SimulatedHost.boot(SHELLS[0]!, {
    files: Object.fromEntries(units.map((unit) => [`${VENDOR}/${unit.name}`, textOf(unit)])),
    links: Object.fromEntries(enabled.map((name) => [`${WANTS}/${name}`, `${VENDOR}/${name}`])),
  });
  hosts.push(host);
  return {
    act: async (doing) => {
      const path = 'path' in doing ? `"$FLEETMASK_ROOT${doing.path}"` : '';
      const script = {
        start: () => `systemctl start ${'unit' in doing ? doing.unit : ''}`,
        stop: () => `timeout 1 systemctl stop ${'unit' in doing ? doing.unit : ''}`,
        link: () => `ln -s ${MASK} ${path}`,
        unlink: () => `rm -f ${path}`,
        reload: () => 'systemctl daemon-reload',
      }[doing.what]();
      await run(host, script);
    },
    converse: () => {
      const child = host.shell('exec sh -s -- root');
      const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
      child.stderr.resume();
      child.stdin.on('error', () => {});
      return {
        ask: (text, answer) =>
          new Promise((resolve, reject) => {
            const hear = (chunk: Buffer) => {
              if (answer.take(chunk).kind === 'more') return;
              child.stdout.off('data', hear);
              resolve(answer.records);
            };
            child.stdout.on('data', hear);
            void ended.then(() => reject(new Error('the program ended')));
            child.stdin.write(text);
          }),
        end: () => {
          child.stdin.end();
          child.stdout.resume();
          return ended;
        },
      };
    },
    state: async () => {
      const dirs = ['/etc/systemd/system', '/run/systemd/system'];
      const masks = dirs.flatMap((dir) =>
        readdirSync(join(host.dir, dir), { withFileTypes: true })
          .filter((entry) => entry.isSymbolicLink())
          .map(({ name }) => `${dir}/${name}`),
      );
      return { masks: masks.sort(), active: readdirSync(join(host.dir, 'sim/active')).sort() };
    },
  };
}

function textOf(unit: UnitFile): string {
  const install = unit.installable ? WANTED : '';
  if (!unit.name.endsWith('.service')) return `[Socket]\nListenFIFO=/run/fm.fifo\n${install}`;
  const words = (key: string, names: readonly string[] = []) => (names.length > 0 ? `${key}=${names.join(' ')}\n` : '');
  return sleeper({
    unit:
      words('Requires', unit.requires) +
      words('BindsTo', unit.bindsTo) +
      words('PartOf', unit.partOf) +
      (unit.refuseManualStop ? 'RefuseManualStop=yes\n' : ''),
    service: (unit.stop ? `X-Fleetmask-Stop=${unit.stop}\n` : '') + (unit.start ? 'X-Fleetmask-Start=fails\n' : ''),
    install,
  });
}

function modelledHost(units: readonly UnitFile[], enabled: readonly string[]): Host {
  const time = new Time();
  const machine = new Machine(1, time, new Random(1), { units, enabled, masks: [], running: [] });
  return {
    act: async (doing) => {
      if (doing.what === 'start') machine.systemd.start([doing.unit]);
      else if (doing.what === 'stop') machine.stop([doing.unit]);
      else if (doing.what === 'link') machine.link(doing.path);
      else if (doing.what === 'unlink') machine.unlink(doing.path);
      else machine.systemd.reload();
      await time.pass(() => false);
    },
    converse: () => {
      let said = '';
      const child = machine.exec(
        (text) => {
          said += text;
        },
        () => {},
      );
      return {
        ask: async (text, answer) => {
          said = '';
          child.write(text);
          await time.pass(() => said !== '');
          answer.take(Buffer.from(said, 'latin1'));
          return answer.records;
        },
        end: async () => child.end(),
      };
    },
    state: async () => ({
      masks: [...machine.truth().masks],
      active: [...machine.systemd.active.keys()].sort(),
    }),
  };
}

function drawUnits(random: Random): UnitFile[] {
  const relation = random.pick(['requires', 'bindsTo', 'partOf', 'none'] as const);
  const stop = random.pick([undefined, undefined, undefined, undefined, 'again', 'never'] as const);
  return [
    {
      name: A,
      installable: random.oneIn(2),
      refuseManualStop: random.oneIn(6),
      ...(stop === undefined ? {} : { stop }),
      ...(random.oneIn(8) ? { start: 'fails' } : {}),
    },
    { name: SOCKET, installable: true },
    { name: 'fm-b.service', installable: random.oneIn(2), ...(relation === 'none' ? {} : { [relation]: [A] }) },
    { name: 'fm-c.service' },
  ];
}

/** One thing after the other: what both hosts are told and asked. */
type Turn =
  | { readonly kind: 'does'; readonly doing: Doing }
  /** Of one of two sessions. */
  | {
      readonly kind: 'asks';
      readonly session: 0 | 1;
      readonly verb: 'apply' | 'undo';
      readonly seq: number;
      readonly words: string[];
    }
  | { readonly kind: 'probes'; readonly names: string[]; readonly wishes: Wish[] };

function drawTurn(random: Random, stopTimeout: number): Turn {
  const kind = random.pick(['asks', 'asks', 'asks', 'does', 'probes'] as const);
  if (kind === 'probes') {
    const wishes: Wish[] = [random.pick(['receipts=all', 'receipts=r1'] as const)];
    return { kind, names: random.some(NAMES), wishes: random.oneIn(2) ? wishes : [...wishes, 'triggers=yes'] };
  }
  if (kind === 'does') return { kind, doing: drawDoing(random) };
  const verb = random.pick(['apply', 'undo'] as const);
  const where = random.pick(['etc', 'etc', 'run'] as const);
  const paths = (unit: string) => random.pick(Object.values(maskPaths(unit)));
  const words = [
    `run=${random.pick(['r1', 'r1', 'r1', 'r2'])}`,
    `where=${where}`,
    `stop-timeout=${stopTimeout}`,
    'meta=-',
    ...(verb === 'apply'
      ? [
          ...random.some([A, SOCKET, 'fm-none.service']).map((unit) => `link=${paths(unit)}`),
          ...random
            .some([A, SOCKET])
            .filter(() => random.oneIn(3))
            .map((unit) => `remove=${paths(unit)}`),
          ...random.some([SOCKET, A]).map((unit) => `stop=${unit}`),
          ...random.some([A]).map((unit) => `group=/system.slice/${unit}`),
          ...random.some([A, SOCKET]).map((unit) => `try=${unit}`),
        ]
      : [
          ...random.some([SOCKET, A, 'fm-b.service']).map((unit) => `start=${unit}`),
          ...random.some(['fm-c.service']).map((unit) => `halt=${unit}`),
          ...random.some([paths(A)]).map((path) => `lift=${path}`),
        ]),
    ...NAMES.map((unit) => `read=${unit}`),
  ];
  return { kind, session: random.oneIn(3) ? 1 : 0, verb, seq: random.int(1, 5), words };
}

function drawDoing(random: Random): Doing {
  const what = random.pick(['start', 'stop', 'link', 'unlink', 'reload'] as const);
  if (what === 'reload') return { what };
  const unit = random.pick(NAMES);
  if (what === 'start' || what === 'stop') return { what, unit };
  return { what, path: random.pick(Object.values(maskPaths(unit))) };
}

async function told(host: Host, turns: readonly Turn[]): Promise<unknown[]> {
  const nonces = ['n0', 'n1'];
  const sessions = nonces.map(() => host.converse());
  const requests = nonces.map((nonce) => new Requests(nonce));
  const probe = async (
    session: Conversation,
    nonce: string,
    by: Requests,
    names = NAMES,
    wishes: readonly Wish[] = [],
  ) => matterOfFacts(await session.ask(by.probe(0, names, wishes), new Answer(nonce, 0)));
  const all: unknown[] = [];
  for (const [index, session] of sessions.entries()) all.push(await probe(session, nonces[index]!, requests[index]!));
  for (const turn of turns) {
    if (turn.kind === 'does') await host.act(turn.doing);
    else if (turn.kind === 'probes') {
      const session = host.converse();
      all.push(await probe(session, 'n2', new Requests('n2'), turn.names, turn.wishes));
      await session.end();
    } else {
      const { session, verb, seq, words } = turn;
      const asked = requests[session]!.later(verb, seq, words);
      const records = await sessions[session]!.ask(asked, new Answer(nonces[session]!, seq));
      all.push({ turn, ...matterOfEvidence(evidenceFrom(records)) });
    }
    all.push(await host.state());
  }
  for (const session of sessions) await session.end();
  return all;
}

function matterOf({
  id,
  load,
  active,
  sub,
  file,
  fragment,
  canStart,
  refuseManualStop,
  triggeredBy,
  ...rest
}: UnitFacts) {
  return {
    ...{ id, load, active, sub, file, fragment, canStart, refuseManualStop },
    ...{ triggeredBy: [...triggeredBy].sort(), controlGroup: rest.controlGroup },
  };
}

function matterOfFacts(records: readonly HostRecord[]) {
  const { privilege, systemd, units, related, paths } = factsFrom(records);
  const receipts = receiptsFrom(records).map((receipt) => ({
    ...receipt,
    result: receipt.result && matterOfEvidence(receipt.result),
  }));
  return {
    ...{ privilege, kind: systemd.kind, paths, receipts },
    units: units.map(matterOf),
    related: [...related].sort((a, b) => a.id.localeCompare(b.id)),
  };
}

/** What was said when something failed is the shells' own; that it spoke of a mask counts. */
function matterOfEvidence({ refused, steps, units, paths, left, foreign, receipt }: Evidence) {
  return {
    ...{ refused: refused?.kind ?? null, paths, left, foreign, receipt },
    steps: steps.map(({ name, status, said }) => ({
      name,
      status: status === 'untried' ? status : status === 0 ? 'done' : status >= 124 ? 'too late' : 'failed',
      masked: said.some((line) => line.includes('masked')),
    })),
    units: units.map(matterOf),
  };
}

describe('the modelled host', () => {
  it(`tells and does what the remote program tells and does (${TRIALS} trials)`, async () => {
    for (let seed = 1; seed <= TRIALS; seed += 1) {
      const random = new Random(seed);
      const units = drawUnits(random);
      const enabled = random.some(units.filter(({ installable }) => installable).map(({ name }) => name));
      const before = Array.from({ length: 4 }, (): Turn => ({ kind: 'does', doing: drawDoing(random) }));
      const starts = random.some(NAMES).map((unit): Turn => ({ kind: 'does', doing: { what: 'start', unit } }));
      // what takes longer on a busy machine is no stop that never ends
      const stopTimeout = units.some(({ stop }) => stop === 'never') ? 3 : 60;
      const turns = [...starts, ...before, ...Array.from({ length: 6 }, () => drawTurn(random, stopTimeout))];
      const [real, modelled] = [await realHost(units, enabled), modelledHost(units, enabled)];
      expect({ seed, units, told: await told(modelled, turns) }).toEqual({
        seed,
        units,
        told: await told(real, turns),
      });
    }
  });
});

import pLimit, { type LimitFunction } from 'p-limit';
import type { ClientChannel } from 'ssh2';
import { type Fault, fault, printable, type Target } from '../../model/index.ts';
import type { Stop } from '../attempts.ts';
import { destroyLater, peerOf, type Wire } from '../wire.ts';
import type { Dialled } from './dial.ts';
import type { Link } from './link.ts';

/** The bastions of a run. Each is logged in to once, however many hosts are behind it, and again after it was lost. */
export interface Bastions {
  /**
   * Gives `use` a wire to `target` through the bastion, when its turn has come: sshd drops logins beyond its MaxStartups,
   * so that only some are under way at once. `begun` is called at that moment.
   */
  through(via: Target, target: Target, stop: AbortSignal, begun: () => void, use: Use): Promise<Dialled>;
  /** Says goodbye to all of them. */
  close(): void;
}

type Use = (wire: Wire) => Promise<Dialled>;

/** sshd begins to drop at 10 by default, and others log in as well. */
const LOGINS_AT_ONCE = 8;
/** Of a bastion that let us in before: every host behind it may ask again then. */
const REFUSAL_STANDS_MS = 10_000;
/** Whoever did not let us in for one of these will not for the next host either. */
const REFUSALS: ReadonlySet<Fault['kind']> = new Set(['auth', 'unanswered', 'host-key']);
/** RFC 4254 §5.1: why a channel is refused. */
const PROHIBITED = 1;
const RESOURCE_SHORTAGE = 4;

interface Bastion {
  readonly starts: LimitFunction;
  connection: Promise<Dialled> | undefined;
  /** In this run, at least once. */
  letUsIn: boolean;
}

/** `reach` logs in to a bastion, itself through another one where its target says so. */
export function openBastions(reach: (bastion: Target, stop: AbortSignal) => Promise<Dialled>): Bastions {
  const bastions = new Map<string, Bastion>();
  const closing = new AbortController();
  const links = new Set<Link>();

  const connect = (bastion: Bastion, via: Target): Promise<Dialled> => {
    const connecting = reach(via, closing.signal).then((dialled) => {
      const forget = (): void => {
        if (bastion.connection === connecting) bastion.connection = undefined;
      };
      if (dialled.is === 'connected') {
        const { link } = dialled;
        bastion.letUsIn = true;
        if (closing.signal.aborted) link.close();
        links.add(link);
        link.onGone(() => {
          links.delete(link);
          forget();
        });
      } else if (!REFUSALS.has(dialled.fault.kind)) {
        forget();
      } else if (bastion.letUsIn) {
        // as after its boot, before that is over; whoever never let us in, or is somebody else, is not asked again for each host
        setTimeout(forget, REFUSAL_STANDS_MS).unref();
      }
      return dialled;
    });
    bastion.connection = connecting;
    return connecting;
  };

  return {
    async through(via, target, stop, begun, use) {
      const key = JSON.stringify(via);
      const bastion = bastions.get(key) ?? { starts: pLimit(LOGINS_AT_ONCE), connection: undefined, letUsIn: false };
      bastions.set(key, bastion);
      const dialled = await orStopped(stop, bastion.connection ?? connect(bastion, via));
      if (dialled.is !== 'connected') return stop.aborted ? dialled : { ...dialled, fault: blame(via, dialled.fault) };
      const attempt = async (): Promise<Dialled> => {
        if (stop.aborted) return stopped(stop);
        begun();
        const wire = await orStopped(stop, forward(dialled.link, via, target), (late) => {
          if ('stream' in late) late.destroy();
        });
        return 'stream' in wire ? use(wire) : wire;
      };
      return orStopped(stop, bastion.starts(attempt), (late) => {
        if (late.is === 'connected') late.link.destroy('nobody waits for it any more');
      });
    },
    close() {
      closing.abort(((): Fault => fault('cancelled', 'the run is over')) satisfies Stop);
      for (const link of [...links]) link.close();
    },
  };
}

function blame(via: Target, { kind, message, hint }: Fault): Fault {
  return fault(kind, `The jump host ${printable(via.host, 120)} cannot be used: ${message}`, hint);
}

/** A channel through the bastion. Never rejects. */
function forward(link: Link, via: Target, target: Target): Promise<Wire | Dialled> {
  return new Promise((resolve) => {
    link.forward(
      target,
      (channel) => resolve(channelWire(channel, link, printable(via.host, 120))),
      (why, reason) => {
        const rule = reason === PROHIBITED ? ' (the jump host does not allow it: AllowTcpForwarding, PermitOpen)' : '';
        const message = `${peerOf(target)} cannot be reached: ${why}${rule}`;
        const transient = reason === undefined || reason === RESOURCE_SHORTAGE;
        resolve({ is: transient ? 'transient' : 'failed', fault: fault('unreachable', message) });
      },
    );
  });
}

function channelWire(channel: ClientChannel, bastion: Link, name: string): Wire {
  let why: string | undefined;
  const gone = (reason: string): void => {
    why = `the connection to the jump host ${name} was lost: ${reason}`;
  };
  bastion.onGone(gone);
  channel.on('error', () => undefined);
  channel.on('close', () => bastion.forget(gone));
  // the bastion keeps its half open until this one is closed
  channel.on('end', () => channel.destroy());
  return {
    kind: 'jump',
    stream: channel,
    start() {
      // What comes through is counted where it ends; what the bastion itself sends is limited as any server's is.
      channel.on('data', (chunk: Buffer) => bastion.expect(chunk.length));
    },
    destroy: () => channel.destroy(),
    finish() {
      channel.end();
      destroyLater(() => channel.destroy());
    },
    why: () => why,
  };
}

const stopped = (stop: AbortSignal): Dialled => ({ is: 'failed', fault: (stop.reason as Stop)('connect') });

/** Waits for `work` until the signal is aborted; what comes later is given to `late`. */
function orStopped<T>(stop: AbortSignal, work: Promise<T>, late?: (result: T) => void): Promise<T | Dialled> {
  return new Promise((resolve, reject) => {
    let given = false;
    // Work that is under way is stopped by the same signal, and knows better how far it got: it goes first.
    const onAbort = (): unknown =>
      setImmediate(() => {
        given = true;
        resolve(stopped(stop));
      });
    if (stop.aborted) onAbort();
    else stop.addEventListener('abort', onAbort, { once: true });
    work.then((result) => {
      stop.removeEventListener('abort', onAbort);
      if (given) late?.(result);
      else resolve(result);
    }, reject);
  });
}

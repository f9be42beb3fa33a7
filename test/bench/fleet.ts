/** The hosts of a benchmark: brought to the same state before each contender, and looked at from inside afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { LabHost } from '../lab/lab.ts';

export const UNIT = 'cron.service';
const MASK = `/etc/systemd/system/${UNIT}`;

/** Work inside the hosts between two contenders: more at once only makes each slower. */
const AT_ONCE = 8;
const QUIET_MS = 250;
const QUIET_DEADLINE_MS = 30_000;

export type State = 'running' | 'masked';

/**
 * The first login of a user starts `user@0.service`, which lingers for ten seconds after the logout. `cold`: it is not there,
 * as on a host that nobody has been on. `warm`: it stays, which takes its noise out of a measurement of time.
 */
export type Logins = 'cold' | 'warm';

/** No trace of an earlier run is left, no failed unit, no start limit that has been used up. */
const RESTORE = {
  cold: 'systemctl stop user-0.slice user@0.service 2>/dev/null;',
  warm: 'loginctl enable-linger root;',
  clean: 'rm -rf /var/lib/fleetmask /run/fleetmask;',
  running: `if [ -L ${MASK} ]; then systemctl unmask ${UNIT}; fi; systemctl reset-failed; systemctl start ${UNIT}`,
  masked: `if [ ! -L ${MASK} ]; then systemctl mask ${UNIT}; fi; systemctl stop ${UNIT}; systemctl reset-failed`,
};

const LOOK = `systemctl show -pLoadState -pActiveState --value ${UNIT} | paste -sd ' ';
  if systemctl is-active -q user-0.slice; then echo warm; else echo cold; fi`;

/** systemd 252 says `Reloading.`, 257 `Reloading...`. */
const RELOADS = "journalctl -q -b -o cat _PID=1 | grep -c '^Reloading\\.'";

export class Fleet {
  readonly hosts: readonly LabHost[];
  readonly #logins: Logins;

  constructor(hosts: readonly LabHost[], logins: Logins) {
    this.hosts = hosts;
    this.#logins = logins;
  }

  async restore(state: State): Promise<void> {
    await this.#inEach(RESTORE[this.#logins] + RESTORE.clean + RESTORE[state]);
    await this.quiet();
    await this.expect(state, this.#logins);
  }

  /** Throws unless every host is in this state: the figures of a contender that did not do its work are worthless. */
  async expect(state: State, logins?: Logins): Promise<void> {
    const seen = await this.#inEach(LOOK);
    const wanted = state === 'masked' ? 'masked inactive' : 'loaded active';
    seen.forEach((text, index) => {
      const [unit, user] = text.trim().split('\n');
      if (unit === wanted && (logins === undefined || user === logins)) return;
      throw new Error(`${this.hosts[index]!.name}: ${UNIT} is ${unit}, and the next login is ${user}`);
    });
  }

  /** Waits until the hosts do nothing any more, and returns what they have spent since their boots, in milliseconds. */
  async quiet(): Promise<number> {
    const deadline = Date.now() + QUIET_DEADLINE_MS;
    let before = this.cpuMs();
    for (;;) {
      await sleep(QUIET_MS);
      const now = this.cpuMs();
      if (now - before < 1 + 0.1 * this.hosts.length) return now;
      if (Date.now() > deadline) throw new Error('the hosts do not come to rest');
      before = now;
    }
  }

  cpuMs(): number {
    return this.hosts.reduce((sum, host) => sum + host.cpuUsec(), 0) / 1000;
  }

  /** How often all of them together have reloaded since their boots. */
  async reloads(): Promise<number> {
    const counts = await this.#inEach(RELOADS);
    return counts.reduce((sum, text) => sum + Number(text), 0);
  }

  #inEach(script: string): Promise<string[]> {
    const limit = pLimit(AT_ONCE);
    return Promise.all(this.hosts.map((host) => limit(async () => (await host.exec(script)).stdout)));
  }
}

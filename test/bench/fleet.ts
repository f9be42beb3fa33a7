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
 * Logged out for good: a `user@0.service` that lingers from the last login would make the next one cheaper. And no trace of
 * an earlier run, no failed units, no start limits that have been used up.
 */
const RESTORE = {
  common: 'systemctl stop user-0.slice user@0.service 2>/dev/null; rm -rf /var/lib/fleetmask /run/fleetmask;',
  running: `if [ -L ${MASK} ]; then systemctl unmask ${UNIT}; fi; systemctl reset-failed; systemctl start ${UNIT}`,
  masked: `if [ ! -L ${MASK} ]; then systemctl mask ${UNIT}; fi; systemctl stop ${UNIT}; systemctl reset-failed`,
};

const LOOK = `systemctl show -pLoadState -pActiveState --value ${UNIT} | paste -sd ' ';
  if systemctl is-active -q user-0.slice; then echo warm; else echo cold; fi`;

/** systemd 252 says `Reloading.`, 257 `Reloading...`. */
const RELOADS = "journalctl -q -b -o cat _PID=1 | grep -c '^Reloading\\.'";

export class Fleet {
  readonly hosts: readonly LabHost[];

  constructor(hosts: readonly LabHost[]) {
    this.hosts = hosts;
  }

  async restore(state: State): Promise<void> {
    await this.#inEach(RESTORE.common + RESTORE[state]);
    await this.quiet();
    await this.expect(state, 'cold');
  }

  /** Throws unless every host is in this state: the figures of a contender that did not do its work are worthless. */
  async expect(state: State, login?: 'cold'): Promise<void> {
    const seen = await this.#inEach(LOOK);
    const wanted = state === 'masked' ? 'masked inactive' : 'loaded active';
    seen.forEach((text, index) => {
      const [unit, user] = text.trim().split('\n');
      if (unit === wanted && (login === undefined || user === login)) return;
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

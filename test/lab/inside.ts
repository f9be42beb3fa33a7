/** What is true inside a host, read past its sshd and past fleetmask: the only witness of these tests. */
import type { LabHost } from './lab.ts';

/** Runs a script as root in the host; throws when it fails. */
export async function sh(host: LabHost, script: string): Promise<string> {
  const { code, stdout, stderr } = await host.exec(`set -e\n${script}`);
  if (code !== 0) throw new Error(`on ${host.name} (${code}): ${stderr.trim() || stdout.trim()}\n${script}`);
  return stdout.trim();
}

/** The line of a script that writes a unit file. */
export function unit(name: string, text: string, dir = '/usr/lib/systemd/system'): string {
  return `mkdir -p ${dir}; cat >'${dir}/${name}' <<'UNIT'\n${text}\nUNIT\n`;
}

/** A service that runs until it is stopped; more lines of its section may follow. */
export const daemon = (...more: string[]) => ['[Service]', 'ExecStart=/usr/bin/sleep infinity', ...more].join('\n');

export const ENABLED = '[Install]\nWantedBy=multi-user.target';

/** The script that makes an enabled service which runs; more lines of its section may follow. */
export const enabled = (name: string, ...more: string[]) =>
  `${unit(`${name}.service`, daemon(...more, ENABLED))} systemctl daemon-reload; systemctl enable -q --now ${name}`;

/** Of a service whose stop waits until it is let go. */
export const WAITS = 'ExecStop=/bin/sh -c "until [ -e /run/let-go ]; do sleep 0.1; done"';
/** The script that makes an enabled service of that sort. */
export const waiting = (name: string) => `rm -f /run/let-go; ${enabled(name, WAITS)}`;
export const letGo = (...hosts: readonly LabHost[]) => Promise.all(hosts.map((host) => sh(host, 'touch /run/let-go')));

/** A service that ignores SIGTERM, and has not started before it does; more lines of its section may follow. */
export const deaf = (...more: string[]) =>
  [
    '[Service]',
    'ExecStartPre=/bin/rm -f /run/deaf',
    `ExecStart=/bin/sh -c 'trap "" TERM; touch /run/deaf; while :; do sleep 1; done'`,
    'ExecStartPost=/bin/sh -c "until [ -e /run/deaf ]; do sleep 0.1; done"',
    ...more,
  ].join('\n');

/** Before a service that a test has started more often than systemd lets people do it. */
export const OFTEN = '[Unit]\nStartLimitIntervalSec=0\n';

export async function property(host: LabHost, name: string, key: string): Promise<string> {
  const { stdout } = await host.exec(['systemctl', 'show', '-p', key, '--', name]);
  return stdout.trim().slice(key.length + 1);
}

/** How the unit stands against being started and what of it still runs, in one line; `HELD` when nothing can and nothing does. */
export async function hold(host: LabHost, name: string): Promise<string> {
  const script = `
    systemctl show -p LoadState -p ActiveState -- "$1"
    systemctl start -- "$1" >/tmp/start.out 2>&1; echo "start=$?"
    grep -o 'is masked' /tmp/start.out | head -n 1
    # the shell that asks is in no unit
    for procs in $(find /sys/fs/cgroup -path "*/$1/cgroup.procs"); do cat "$procs"; done | wc -l`;
  const { stdout } = await host.exec(['sh', '-c', script, 'hold', name]);
  return stdout.trim().split('\n').sort().join(' ');
}

export const HELD = '0 ActiveState=inactive LoadState=masked is masked start=1';
/** The same of a unit that was stopped hard, or whose dependencies failed with it. */
export const HELD_FAILED = HELD.replace('inactive', 'failed');

export type Dumps = ReadonlyMap<string, readonly string[]>;

export async function dumps(host: LabHost, names: readonly string[]): Promise<Dumps> {
  return new Map(await Promise.all(names.map(async (name) => [name, await host.dumpUnit(name)] as const)));
}

/** What is no more as it was dumped: lines that went, and lines that came. */
export async function changes(host: LabHost, before: Dumps): Promise<string[]> {
  const now = await dumps(host, [...before.keys()]);
  return [...before].flatMap(([name, lines]) => {
    const after = now.get(name) ?? [];
    const gone = lines.filter((line) => !after.includes(line)).map((line) => `${host.name}: ${name} - ${line}`);
    return [...gone, ...after.filter((line) => !lines.includes(line)).map((line) => `${host.name}: ${name} + ${line}`)];
  });
}

/** Whether a run's receipt lies on the host. */
export async function receiptOf(host: LabHost, run: string): Promise<string> {
  return (await host.exec(`ls -d /var/lib/fleetmask/${run} /run/fleetmask/runs/${run} 2>/dev/null`)).stdout.trim();
}

/**
 * Has every reload of systemd from now on leave a fresh mark; the mark so far. Versions differ in the properties that tell of
 * a reload, but all of them run the generators anew.
 */
export async function reloadMark(host: LabHost): Promise<string> {
  const generator = '/etc/systemd/system-generators/reload-mark';
  if ((await host.exec(['test', '-x', generator])).code !== 0) {
    await host.writeFile(generator, '#!/bin/sh\ncat /proc/sys/kernel/random/uuid >"$1/reload-mark"\n', 0o755);
    await sh(host, 'systemctl daemon-reload');
  }
  return sh(host, 'cat /run/systemd/generator/reload-mark');
}

/** Tries until it holds, or fails with what it last was. Nothing here sleeps for a fixed time. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, seconds = 120): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)} after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const stopping = (host: LabHost, name: string) =>
  until(
    () => property(host, name, 'ActiveState'),
    (state) => state === 'deactivating',
  );

/** Until its mask is taken away. */
export const unlinked = (host: LabHost, name: string) =>
  until(
    () => host.exec(['test', '-L', `/etc/systemd/system/${name}`]),
    ({ code }) => code !== 0,
  );

/** Until the change that a run makes there is whole. */
export const finished = (host: LabHost, run: string) =>
  until(
    () => host.exec(['test', '-s', `/var/lib/fleetmask/${run}/result`]),
    ({ code }) => code === 0,
  );

/** Units that the systemd contract works on. */

export const VENDOR = '/usr/lib/systemd/system';
export const ADMIN = '/etc/systemd/system';
export const RUNTIME = '/run/systemd/system';
export const MASK = '/dev/null';

/** What lets a unit be enabled. */
export const WANTED = '[Install]\nWantedBy=multi-user.target\n';

/** The link that enables it. */
export function enabled(name: string, dir = ADMIN): Record<string, string> {
  return { [`${dir}/multi-user.target.wants/${name}`]: `${VENDOR}/${name}` };
}

/** A service that sleeps, with more lines for its three sections. */
export function sleeper({ unit = '', service = '', install = '', exec = '/bin/sleep infinity' } = {}): string {
  return `[Unit]\nDescription=A sleeper\n${unit}[Service]\nExecStart=${exec}\n${service}${install}`;
}

/** `start` returns when the process has got ready. */
const READY = 'ExecStartPost=/bin/sleep 0.3\n';

/** Ignores SIGTERM, and systemd has no other means. */
export const STUBBORN = sleeper({
  exec: `/bin/sh -c 'trap "" TERM; while :; do sleep 1; done'`,
  service: `${READY}TimeoutStopSec=infinity\nX-Fleetmask-Stop=never\n`,
});

/** Is starting until it is stopped. */
export const SLOW = `[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\nX-Fleetmask-Start=slow\n`;

/** Leaves a child behind, on purpose. */
export const PARENT = sleeper({
  exec: `/bin/sh -c 'sleep 1000 & exec sleep 1001'`,
  service: `${READY}KillMode=process\nX-Fleetmask-Children=1\n`,
});

/** A FIFO, so that hosts that share a network do not meet. */
export const SOCKET = '[Socket]\nListenFIFO=/run/fm-a.fifo\n';

/** A client turns up at that socket. Nobody listens on a simulated host: there systemd is told. */
export function connectTo(socket: string): string {
  return `if [ -n "\${FLEETMASK_ROOT-}" ]; then
  systemctl trigger ${socket}
else
  timeout 1 sh -c 'echo hello >/run/fm-a.fifo'
  sleep 0.2
fi`;
}

/** Takes a moment to stop. A simulated client has it started again meanwhile, as `startedWhileItStops` does on a real host. */
export const WANTED_BACK = sleeper({
  unit: 'StartLimitIntervalSec=0\n',
  service: 'ExecStopPost=/bin/sleep 2\nX-Fleetmask-Stop=cancelled\n',
});

/** Clients in a row, for twenty seconds or until that file goes. */
export function startedWhileItStops(unit: string): string {
  return `if [ -z "\${FLEETMASK_ROOT-}" ]; then
  touch /run/fm-clients
  (for i in $(seq 200); do [ ! -e /run/fm-clients ] || { systemctl start --no-block ${unit}; sleep 0.1; }; done) >/dev/null 2>&1 </dev/null &
fi`;
}

/** Somebody stops it while it starts; a simulated host does that by itself. */
export const STOPPED_EARLY = sleeper({ service: 'ExecStartPre=/bin/sleep 3\nX-Fleetmask-Start=cancelled\n' });
export function stoppedWhileItStarts(unit: string): string {
  return `if [ -z "\${FLEETMASK_ROOT-}" ]; then
  (until [ "$(systemctl is-active ${unit})" = activating ]; do sleep 0.1; done; systemctl stop ${unit}) >/dev/null 2>&1 </dev/null &
fi`;
}

/** `npm run lab -- …`: a fleet to play with. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { INSIDE } from './host.ts';
import { type Lab, type LabHost, openLab } from './lab.ts';
import { traitsFrom } from './traits.ts';

const USAGE = `Real systemd hosts on this machine, to play with.

  npm run lab -- up N [--kinds KIND,…]   N hosts in all; boots those that do not run yet
  npm run lab -- shape KIND TRAIT=VALUE…  one more host of this kind, with these traits (traits.ts)
  npm run lab -- list                    the hosts, their kinds and addresses
  npm run lab -- exec HOST CMD…          run a command in a host, past its sshd
  npm run lab -- reset HOST…|all         back to the pristine root
  npm run lab -- cpu                     CPU that each host has used since its boot
  npm run lab -- down                    stop all and clean up

KIND: debian11 debian12 debian13 rhel-like arch-like, or a suite: bullseye bookworm trixie.
FLEETMASK_LAB_DIR is where it all lives (/var/tmp/fleetmask-lab).
`;

const say = (line: string) => process.stderr.write(`lab: ${line}\n`);

const COMMANDS: Record<string, (lab: Lab, args: string[]) => Promise<number>> = {
  async up(lab, args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { kinds: { type: 'string' }, suites: { type: 'string' } },
    });
    const n = Number(positionals[0] ?? 5);
    if (!Number.isInteger(n) || n < 1) throw new Error(`up wants a number of hosts, not ${positionals[0]}`);
    const kinds = [values.kinds, values.suites].flatMap((list) => list?.split(',') ?? []);
    const start = performance.now();
    const hosts = await lab.hosts(n, kinds);
    say(`${hosts.length} hosts are up (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    process.stdout.write(`
  npx fleetmask status cron -i ${lab.inventory} -l all --known-hosts ${lab.knownHosts}
  npx fleetmask mask cron --now -i ${lab.inventory} -l debian --known-hosts ${lab.knownHosts}
  ssh -F ${lab.sshConfig} ${hosts[0]!.name}
`);
    return 0;
  },

  async shape(lab, [kind = '', ...traits]) {
    const [host] = await lab.shaped([{ kind, traits: traitsFrom(traits) }]);
    say(`${host!.name} is up: ${host!.address}, ${traits.join(' ')}`);
    return 0;
  },

  async list(lab) {
    for (const host of lab.all()) {
      const state = host.running ? 'running' : 'stopped';
      process.stdout.write(
        `${host.name.padEnd(14)}${host.address.padEnd(16)}${state.padEnd(9)}systemd ${host.kind.systemd}\n`,
      );
    }
    return 0;
  },

  async exec(lab, [name, ...command]) {
    const [host] = named(lab, name === undefined ? [] : [name]);
    const argv = host!.nsenter(command.length > 1 ? command : ['sh', '-c', command[0] ?? 'exec bash -l']);
    const { status, error } = spawnSync(argv[0]!, argv.slice(1), {
      stdio: 'inherit',
      env: { ...INSIDE, TERM: process.env.TERM },
    });
    if (error) throw error;
    return status ?? 1;
  },

  async reset(lab, names) {
    await lab.reset(names[0] === 'all' ? lab.all() : named(lab, names));
    return 0;
  },

  async cpu(lab) {
    for (const host of lab.all()) process.stdout.write(`${host.name.padEnd(14)}${host.cpuUsec()}\n`);
    return 0;
  },

  async down(lab) {
    await lab.down();
    return 0;
  },
};

function named(lab: Lab, names: readonly string[]): LabHost[] {
  if (names.length === 0) throw new Error('which host? See list');
  const all = lab.all();
  return names.map((name) => {
    const host = all.find((each) => each.name === name);
    if (host === undefined)
      throw new Error(`no host ${name} in this lab; there are ${all.map((each) => each.name).join(', ') || 'none'}`);
    return host;
  });
}

const [command = '', ...args] = process.argv.slice(2);
const act = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
if (act === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await act(await openLab({ say }), args);
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  }
}

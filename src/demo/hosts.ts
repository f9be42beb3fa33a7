/** The hosts of the demonstration: a dozen of three families, most of them ordinary, some with a story. */
import type { HostSpec } from './fleet.ts';
import type { HostImage } from './image.ts';

interface Family {
  readonly group: string;
  readonly systemd: string;
  readonly release: string;
  readonly cron: string;
  readonly sshd: string;
}

const DEBIAN: Family = {
  group: 'debian',
  systemd: '252.39-1~deb12u1',
  release: `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
`,
  cron: 'cron.service',
  sshd: 'ssh.service',
};

const OLD_DEBIAN: Family = {
  ...DEBIAN,
  systemd: '247.3-7+deb11u7',
  release: DEBIAN.release.replaceAll('12', '11').replaceAll('bookworm', 'bullseye'),
};

const RHEL: Family = {
  group: 'rhel',
  systemd: '252-46.el9_5.2',
  release: `NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
`,
  cron: 'crond.service',
  sshd: 'sshd.service',
};

/** Rolling: without a version. */
const ARCH: Family = {
  group: 'arch',
  systemd: '257.7-1-arch',
  release: `NAME="Arch Linux"
PRETTY_NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
`,
  cron: 'cronie.service',
  sshd: 'sshd.service',
};

export const DEMO_HOSTS: readonly HostSpec[] = [
  ordinary('deb-web1', DEBIAN),
  // A job of cron's is at work; KillMode=process lets it finish.
  ordinary('deb-web2', DEBIAN, { service: 'X-Fleetmask-Children=1\n' }),
  withDependent(ordinary('deb-db1', DEBIAN), 'report-queue.service', DEBIAN.cron),
  ordinary('deb-old1', OLD_DEBIAN),
  ordinary('el-app1', RHEL),
  ordinary('el-app2', RHEL),
  alreadyMasked(ordinary('el-masked1', RHEL), RHEL.cron),
  locallyInstalled(ordinary('el-local1', RHEL), RHEL.cron),
  // Its process does not heed SIGTERM.
  ordinary('el-stuck1', RHEL, { service: 'X-Fleetmask-Stop=never\n' }),
  ordinary('arch-ci1', ARCH),
  idle(ordinary('arch-ci2', ARCH), ARCH.cron),
  { ...ordinary('arch-down1', ARCH), network: 'down' },
];

function ordinary(name: string, family: Family, { service = '' } = {}): HostSpec {
  return {
    name,
    group: family.group,
    network: 'up',
    image: {
      systemd: family.systemd,
      release: family.release,
      files: {
        [vendor(family.cron)]: unit(
          family.cron.replace('.service', ''),
          'Regular background program processing',
          `KillMode=process\n${service}`,
        ),
        [vendor(family.sshd)]: unit('sshd', 'OpenBSD Secure Shell server', 'KillMode=process\n'),
      },
      links: { ...enabled(family.cron), ...enabled(family.sshd) },
      running: [family.cron, family.sshd],
      privilege: 'root',
    },
  };
}

function withDependent(spec: HostSpec, dependent: string, needed: string): HostSpec {
  const files = {
    [vendor(dependent)]: unit('report-queue', 'Queue of reports', '', `Requires=${needed}\nAfter=${needed}\n`),
  };
  return change(spec, (image) => ({
    files: { ...image.files, ...files },
    links: { ...image.links, ...enabled(dependent) },
    running: [...image.running, dependent],
  }));
}

function alreadyMasked(spec: HostSpec, name: string): HostSpec {
  const stopped = idle(spec, name);
  return change(stopped, (image) => ({ links: { ...image.links, [admin(name)]: '/dev/null' } }));
}

/** The unit file is the administrator's own, where a mask would have to go. */
function locallyInstalled(spec: HostSpec, name: string): HostSpec {
  return change(spec, ({ files: { [vendor(name)]: text = '', ...files }, links }) => ({
    files: { ...files, [admin(name)]: text },
    links: { ...links, ...enabled(name, admin(name)) },
  }));
}

function idle(spec: HostSpec, name: string): HostSpec {
  return change(spec, (image) => ({ running: image.running.filter((each) => each !== name) }));
}

function change(spec: HostSpec, to: (image: HostImage) => Partial<HostImage>): HostSpec {
  return { ...spec, image: { ...spec.image, ...to(spec.image) } };
}

/** Each runs a program of its own: what runs that of a masked unit is told as a way round the mask. */
function unit(program: string, description: string, service: string, dependencies = ''): string {
  return `[Unit]
Description=${description}
${dependencies}
[Service]
ExecStart=/usr/sbin/${program}
${service}
[Install]
WantedBy=multi-user.target
`;
}

function vendor(name: string): string {
  return `/usr/lib/systemd/system/${name}`;
}

function admin(name: string): string {
  return `/etc/systemd/system/${name}`;
}

function enabled(name: string, file = vendor(name)): Record<string, string> {
  return { [`/etc/systemd/system/multi-user.target.wants/${name}`]: file };
}

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeKinds, describeLab } from './given.ts';
import type { Lab, LabHost } from './lab.ts';
import { run } from './process.ts';

const SERVICE = `[Unit]
Description=Sleeps
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
Alias=dozer.service
`;

const ssh = (lab: Lab, host: LabHost, command: string, user = 'root', seconds = 60) =>
  run('ssh', [
    ...[
      '-F',
      'none',
      '-i',
      lab.key,
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      'BatchMode=yes',
      '-o',
      `ConnectTimeout=${seconds}`,
    ],
    ...[
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      `UserKnownHostsFile=${lab.knownHosts}`,
      '-o',
      'GlobalKnownHostsFile=none',
    ],
    ...['-p', String(host.port), `${user}@${host.address}`, command],
  ]);

const stdout = async (host: LabHost, command: string) => (await host.exec(command)).stdout.trim();

describeKinds('every kind of host', (lab, kind) => {
  it('runs the systemd it stands for, and all of it is up', async () => {
    const host = await lab.host(kind.name);
    expect(await stdout(host, 'systemctl --version | head -n 1')).toMatch(new RegExp(`^systemd ${kind.systemd} `));
    expect(await stdout(host, 'systemctl --failed --no-legend; systemctl is-system-running')).toBe('running');
  });

  it('says in os-release what it stands for', async () => {
    const host = await lab.host(kind.name);
    const lines = (await stdout(host, 'cat /etc/os-release')).replaceAll('"', '').split('\n');
    const { ID, VERSION_ID } = kind.osRelease;
    expect(lines).toContain(`ID=${ID}`);
    expect(lines.filter((line) => line.startsWith('VERSION_ID='))).toEqual(
      VERSION_ID ? [`VERSION_ID=${VERSION_ID}`] : [],
    );
  });

  it('runs cron under the name it has there, and under no other', async () => {
    const host = await lab.host(kind.name);
    const units = await stdout(host, "systemctl list-units --all --plain --no-legend 'cron*' | cut -d ' ' -f 1");
    expect(units).toBe(kind.cron);
    expect(await stdout(host, `systemctl is-active ${kind.cron}`)).toBe('active');
    expect(await stdout(host, `systemctl is-enabled ${kind.cron}`)).toBe('enabled');
  });

  it('has the /bin/sh it has there', async () => {
    const host = await lab.host(kind.name);
    expect(await stdout(host, 'readlink -f /bin/sh')).toBe(
      kind.family === 'debian' ? '/usr/bin/dash' : '/usr/bin/bash',
    );
  });

  it('answers to ssh with the key and the host key that the lab wrote', async () => {
    const host = await lab.host(kind.name);
    expect(await ssh(lab, host, 'id -un; hostname')).toEqual({ code: 0, stdout: `root\n${host.name}\n`, stderr: '' });
  });

  it('lets op use sudo without a password, and nopriv not', async () => {
    const host = await lab.host(kind.name);
    expect(await ssh(lab, host, 'sudo -n id -u', 'op')).toEqual({ code: 0, stdout: '0\n', stderr: '' });
    const denied = await ssh(lab, host, 'sudo -n id -u', 'nopriv');
    expect(denied.code).not.toBe(0);
    expect(denied.stdout).toBe('');
  });

  it('dumps a unit the same after an undone mask, and otherwise under the mask', async () => {
    const host = await lab.host(kind.name);
    await host.installUnit('sleeper.service', SERVICE);
    await host.exec('systemctl enable --now sleeper.service');
    const before = await host.dumpUnit('sleeper.service');
    expect(before).toContain('ActiveState=active');
    const files = before.filter((line) => line.includes('/systemd/system') && !line.includes('='));
    expect(files.filter((line) => !/sleeper|dozer/.test(line))).toEqual([]);
    expect(files.join('\n')).toMatch(/multi-user.target.wants\/sleeper.service: l/);

    await host.exec('systemctl mask --now sleeper.service');
    expect(await host.dumpUnit('sleeper.service')).not.toEqual(before);

    await host.exec('systemctl unmask sleeper.service && systemctl start sleeper.service');
    expect(await host.dumpUnit('sleeper.service')).toEqual(before);
  });

  it('comes back from a power cut with its disk, but without its processes and /run', async () => {
    const host = await lab.host(kind.name);
    await host.exec('touch /var/kept /run/gone; (sleep 1000 >/dev/null 2>&1 &)');
    const bootId = await stdout(host, 'cat /proc/sys/kernel/random/boot_id');
    await host.powerCut();
    expect(host.running).toBe(false);
    expect((await ssh(lab, host, 'true')).code).toBe(255);

    await host.boot();
    expect(await stdout(host, 'ls /var/kept /run/gone 2>/dev/null')).toBe('/var/kept');
    expect((await host.exec('pgrep -x sleep')).stdout).not.toMatch(/\b1000\b/);
    expect(await stdout(host, 'cat /proc/sys/kernel/random/boot_id')).not.toBe(bootId);
    expect((await ssh(lab, host, 'true')).code).toBe(0);
  });

  it('is as new after a reset, and known by the same key', async () => {
    const host = await lab.host(kind.name);
    await host.exec('touch /var/stray');
    await host.reset();
    expect(await stdout(host, 'ls /var/stray /var/kept /usr/lib/systemd/system/sleeper.service 2>/dev/null')).toBe('');
    expect((await ssh(lab, host, 'true')).code).toBe(0);
  });
});

describeLab('a host', (lab) => {
  it('gives back what a command wrote and how it ended', async () => {
    const [host] = await lab.hosts(1);
    expect(await host!.exec('cat; echo complaint >&2; exit 7', { input: 'said' })).toEqual({
      code: 7,
      stdout: 'said',
      stderr: 'complaint\n',
    });
    const odd = ['printf', '%s|', '$(id)', "it's", '*'];
    expect((await host!.exec(odd)).stdout).toBe("$(id)|it's|*|");
  });

  it('takes files with their mode', async () => {
    const [host] = await lab.hosts(1);
    await host!.writeFile('/opt/deep/tool', '#!/bin/sh\necho ran\n', 0o750);
    expect(await stdout(host!, 'stat -c %a /opt/deep/tool; /opt/deep/tool')).toBe('750\nran');
  });

  it('hangs when frozen, and goes on when thawed', async () => {
    const [host] = await lab.hosts(1);
    await host!.freeze();
    expect((await ssh(lab, host!, 'true', 'root', 3)).code).toBe(255);
    // one can still look inside
    expect((await host!.exec('cat /etc/hostname')).stdout).toBe(`${host!.name}\n`);
    await host!.thaw();
    expect((await ssh(lab, host!, 'true')).code).toBe(0);
  });

  it('counts the CPU of its own processes, and of commands from outside only when told to', async () => {
    const [host] = await lab.hosts(1);
    const burn = 'i=0; while [ $i -lt 500000 ]; do i=$((i + 1)); done';
    const spent = async (charged: boolean) => {
      const before = host!.cpuUsec();
      await host!.exec(burn, { charged });
      return host!.cpuUsec() - before;
    };
    expect(await spent(false)).toBeLessThan((await spent(true)) / 2);
  });

  it('does not see the processes of another', async () => {
    const [one, two] = await lab.hosts(2);
    await one!.installUnit('sleeper.service', SERVICE);
    await one!.exec('systemctl start sleeper.service');
    expect(await stdout(one!, 'pgrep -cx sleep')).toBe('1');
    expect(await stdout(two!, 'pgrep -cx sleep')).toBe('0');
    expect(
      await stdout(
        two!,
        'grep -c "" $(find /sys/fs/cgroup -name sleeper.service -printf "%p/cgroup.procs ") /dev/null',
      ),
    ).toBe('0');
  });
});

describeLab('the lab', (lab) => {
  it('boots only what is not there yet', async () => {
    const before = await Promise.all(
      (await lab.hosts(5)).map((host) => stdout(host, 'cat /proc/sys/kernel/random/boot_id')),
    );
    const six = await lab.hosts(6);
    const after = await Promise.all(six.map((host) => stdout(host, 'cat /proc/sys/kernel/random/boot_id')));
    expect(after.slice(0, 5)).toEqual(before);
    expect(new Set(after).size).toBe(6);
    await six[5]!.remove();
  });

  it('writes an inventory in groups of families and kinds', async () => {
    const hosts = await lab.hosts(5);
    const { all } = parse(readFileSync(lab.inventory, 'utf8'));
    expect(all.vars).toEqual({ ansible_user: 'root', ansible_ssh_private_key_file: lab.key });
    for (const { name, kind, address } of hosts) {
      const group = all.children[kind.family].children[kind.name.replace('-', '_')];
      expect(group.hosts[name]).toEqual({ ansible_host: address });
    }
  });
});

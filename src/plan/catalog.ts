/**
 * Logical names → the units that distributions ship for them. Data only; what a host really has decides (resolve.ts), the
 * family is a hint for ties and for what is not installed yet.
 *
 * `one`: alternatives, of which a host runs one. `all`: parts of one service, all that are there are meant.
 * `*` stands for versions and instances. Sources: the distributions' packages; see test/plan/catalog.tsv for a line each.
 */
import { type Os, SUPER_SERVERS } from '../model/index.ts';
import { groups } from './by-name.ts';

export type Family = 'debian' | 'rhel' | 'suse' | 'arch';

export interface Entry {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly takes: 'one' | 'all';
  /** Whole unit names or patterns, in order of preference per family. */
  readonly units: Readonly<Record<Family, readonly string[]>>;
  /** What a super-server's configuration calls it: the service, or the program. Empty: none serves it. */
  readonly served: readonly string[];
}

type Row = readonly [names: string, takes: Entry['takes'], debian: string, rhel?: string, suse?: string, arch?: string];

/** A family that is left out has what Debian has; names without a suffix are services. */
const ROWS: readonly Row[] = [
  [
    'cron crond cronie',
    'one',
    'cron cronie crond bcron fcron dcron cron.target',
    'crond cronie',
    'cron cronie',
    'cronie fcron dcron cron',
  ],
  ['ssh sshd openssh', 'one', 'ssh sshd', 'sshd', 'sshd', 'sshd'],
  ['apache apache2 httpd', 'one', 'apache2', 'httpd', 'apache2', 'httpd'],
  ['nginx', 'one', 'nginx'],
  ['squid', 'one', 'squid'],
  ['haproxy', 'one', 'haproxy'],
  ['memcached', 'one', 'memcached'],
  ['autofs', 'one', 'autofs'],
  ['mysql mariadb mysqld', 'one', 'mariadb mysql', 'mariadb mysqld', 'mariadb mysql', 'mariadb mysqld'],
  ['postgresql postgres', 'all', 'postgresql postgresql@', 'postgresql postgresql-*', 'postgresql', 'postgresql'],
  ['nfs-server nfs', 'one', 'nfs-server nfs-kernel-server', 'nfs-server', 'nfs-server nfsserver', 'nfs-server'],
  ['samba smb', 'all', 'smbd nmbd winbind samba-ad-dc', 'smb nmb winbind', 'smb nmb winbind', 'smb nmb winbind'],
  ['bind named bind9 dns', 'one', 'named bind9', 'named named-chroot', 'named', 'named'],
  [
    'ntp chrony',
    'one',
    'chrony ntpsec ntp openntpd systemd-timesyncd',
    'chronyd ntpd systemd-timesyncd',
    'chronyd ntpd systemd-timesyncd',
    'chronyd ntpd openntpd systemd-timesyncd',
  ],
  [
    'dhcpd dhcp-server',
    'one',
    'isc-dhcp-server kea-dhcp4-server',
    'dhcpd kea-dhcp4',
    'dhcpd kea-dhcp4',
    'dhcpd4 kea-dhcp4',
  ],
  ['redis', 'one', 'redis-server redis', 'redis', 'redis redis@', 'redis'],
  ['valkey', 'one', 'valkey-server valkey', 'valkey', 'valkey', 'valkey'],
  ['docker', 'one', 'docker snap.docker.dockerd', 'docker'],
  ['containerd', 'one', 'containerd'],
  ['bluetooth', 'one', 'bluetooth'],
  ['atd at', 'one', 'atd'],
  ['syslog rsyslog', 'one', 'rsyslog syslog-ng', 'rsyslog syslog-ng', 'rsyslog syslog-ng', 'syslog-ng@default rsyslog'],
  [
    'firewall',
    'one',
    'ufw nftables netfilter-persistent firewalld',
    'firewalld nftables iptables',
    'firewalld nftables',
    'nftables iptables firewalld ufw',
  ],
  ['mail mta', 'one', 'postfix exim4 sendmail', 'postfix sendmail exim', 'postfix', 'postfix exim'],
  ['cups', 'one', 'cups'],
  ['avahi mdns', 'one', 'avahi-daemon'],
  ['snapd', 'one', 'snapd'],
  ['rsync rsyncd', 'one', 'rsync', 'rsyncd', 'rsyncd', 'rsyncd'],
  ['snmp snmpd', 'all', 'snmpd snmptrapd'],
  ['ldap slapd', 'one', 'slapd', 'slapd dirsrv@', 'slapd dirsrv@', 'slapd'],
  ['php-fpm', 'all', 'php*-fpm', 'php-fpm php*-php-fpm', 'php-fpm', 'php-fpm php-legacy-fpm'],
  ['tomcat', 'one', 'tomcat10 tomcat9 tomcat11', 'tomcat', 'tomcat', 'tomcat10 tomcat9 tomcat11'],
  ['vsftpd', 'one', 'vsftpd', 'vsftpd', 'vsftpd', 'vsftpd vsftpd.socket'],
  [
    'ftp',
    'one',
    'vsftpd proftpd pure-ftpd',
    'vsftpd proftpd pure-ftpd',
    'vsftpd pure-ftpd',
    'vsftpd vsftpd.socket proftpd pure-ftpd',
  ],
  ['telnet', 'one', 'telnet.socket'],
  ['rsh rshd', 'one', 'rsh.socket'],
  ['rlogin rlogind', 'one', 'rlogin.socket'],
  ['rexec rexecd', 'one', 'rexec.socket'],
  ['finger fingerd', 'one', 'finger.socket'],
  ['talk ntalk talkd', 'one', 'ntalk.socket talk.socket'],
  ['smartd smartmontools', 'one', 'smartmontools smartd', 'smartd', 'smartd', 'smartd'],
  ['freeradius radius radiusd', 'one', 'freeradius', 'radiusd', 'radiusd', 'freeradius'],
  ['krb5-kdc krb5kdc kdc', 'one', 'krb5-kdc', 'krb5kdc', 'krb5kdc', 'krb5-kdc'],
  ['kadmin krb5-admin-server', 'one', 'krb5-admin-server', 'kadmin', 'kadmind', 'krb5-kadmind'],
  ['nrpe nagios-nrpe-server', 'one', 'nagios-nrpe-server', 'nrpe'],
  ['nagios', 'one', 'nagios4 nagios', 'nagios'],
  ['clamd clamav clamav-daemon', 'one', 'clamav-daemon', 'clamd@scan clamd@ clamd', 'clamd', 'clamav-daemon'],
  ['freshclam clamav-freshclam', 'one', 'clamav-freshclam', 'clamav-freshclam', 'freshclam', 'clamav-freshclam'],
  ['amavis amavisd', 'one', 'amavis', 'amavisd', 'amavis', 'amavisd'],
  ['spamd spamassassin', 'one', 'spamd spamassassin', 'spamassassin', 'spamd', 'spamassassin'],
  ['vmtools open-vm-tools vmtoolsd', 'one', 'open-vm-tools', 'vmtoolsd', 'vmtoolsd', 'vmtoolsd'],
  ['exim exim4', 'one', 'exim4', 'exim', 'exim', 'exim'],
  ['tftp tftpd tftpd-hpa', 'all', 'tftpd-hpa', 'tftp.socket tftp', 'tftp.socket tftp', 'tftpd.socket tftpd'],
  ['kdump kdump-tools', 'one', 'kdump-tools', 'kdump', 'kdump', ''],
  [
    'libvirt libvirtd',
    'all',
    'libvirtd',
    'libvirtd virtqemud virtnetworkd virtstoraged virtnodedevd virtsecretd virtinterfaced virtnwfilterd virtproxyd',
  ],
  ['rabbitmq rabbitmq-server', 'one', 'rabbitmq-server', 'rabbitmq-server', 'rabbitmq-server', 'rabbitmq'],
  ['lm-sensors lm_sensors sensors', 'one', 'lm-sensors', 'lm_sensors'],
  [
    'openvpn',
    'all',
    'openvpn openvpn@ openvpn-client@ openvpn-server@',
    'openvpn-client@ openvpn-server@ openvpn@',
    'openvpn-client@ openvpn-server@ openvpn@',
    'openvpn-client@ openvpn-server@',
  ],
  ['tor', 'all', 'tor tor@', 'tor'],
  ['ipsec strongswan', 'one', 'strongswan-starter strongswan', 'strongswan ipsec', 'strongswan'],
  ['iscsid open-iscsi iscsi', 'all', 'iscsid open-iscsi iscsid.socket', 'iscsid iscsi iscsid.socket'],
  ['mongodb mongod', 'one', 'mongod mongodb', 'mongod', 'mongod', 'mongodb'],
  ['grafana grafana-server', 'one', 'grafana-server', 'grafana-server', 'grafana-server', 'grafana'],
  ['inetd xinetd', 'one', 'inetutils-inetd inetd openbsd-inetd xinetd rlinetd', 'xinetd'],
  ['rpcbind portmap', 'one', 'rpcbind'],
  ['anacron', 'all', 'anacron.timer anacron'],
  [
    'auto-update unattended-upgrades',
    'all',
    'apt-daily.timer apt-daily-upgrade.timer apt-daily apt-daily-upgrade unattended-upgrades',
    'dnf-automatic.timer dnf-automatic-install.timer dnf5-automatic.timer yum-cron',
    'transactional-update.timer',
    '',
  ],
]; // prettier-ignore

/** By the first name of a row: services(5) and programs, as inetd.conf and files of xinetd.d in the distributions' packages call them. */
const SERVED: Readonly<Record<string, string>> = {
  telnet: 'telnet telnets in.telnetd telnetd utelnetd',
  rsh: 'shell kshell in.rshd rshd',
  rlogin: 'login klogin eklogin in.rlogind rlogind',
  rexec: 'exec in.rexecd rexecd',
  finger: 'finger in.fingerd fingerd cfingerd efingerd',
  talk: 'talk ntalk in.talkd in.ntalkd talkd ntalkd',
  ftp: 'ftp ftps in.ftpd ftpd vsftpd proftpd in.proftpd pure-ftpd',
  vsftpd: 'vsftpd',
  tftp: 'tftp in.tftpd tftpd atftpd',
  rsync: 'rsync rsyncd',
  nrpe: 'nrpe',
};

const ENTRIES: ReadonlyMap<string, Entry> = new Map(
  ROWS.map(entryFrom).flatMap((entry) => [entry.name, ...entry.synonyms].map((name) => [name, entry] as const)),
);

function entryFrom([names, takes, debian, rhel = debian, suse = rhel, arch = rhel]: Row): Entry {
  const [name = '', ...synonyms] = names.split(' ');
  const units = (text: string) =>
    text
      .split(' ')
      .filter((unit) => unit !== '')
      .map((unit) => (/\.[a-z]+$/.test(unit) && !unit.startsWith('snap.docker') ? unit : `${unit}.service`));
  return {
    name,
    synonyms,
    takes,
    units: { debian: units(debian), rhel: units(rhel), suse: units(suse), arch: units(arch) },
    served: (Object.hasOwn(SERVED, name) ? SERVED[name]! : '').split(' ').filter((word) => word !== ''),
  };
}

/** A logical name of a site, which means the same units on every distribution. */
export function entryOf(name: string, takes: Entry['takes'], units: readonly string[]): Entry {
  return { name, synonyms: [], takes, units: { debian: units, rhel: units, suse: units, arch: units }, served: [] };
}

/** Logical names besides those known here; they win. */
export type SiteCatalogue = ReadonlyMap<string, Entry>;

/** The entry of a logical name or of one of its synonyms. */
export function lookUp(name: string): Entry | undefined {
  return ENTRIES.get(name);
}

export function entries(): Entry[] {
  return [...new Set(ENTRIES.values())];
}

/** The entries of which a unit is one, by its real name; of patterns and templates none is known here. */
export function ownersOf(unit: string): readonly Entry[] {
  return OWNERS.get(unit) ?? [];
}

const OWNERS: ReadonlyMap<string, readonly Entry[]> = new Map(
  [
    ...groups(
      [...new Set(ENTRIES.values())].flatMap((entry) => candidatesOf(entry).map((unit) => ({ unit, entry }))),
      ({ unit }) => unit,
    ),
  ].map(([unit, owned]) => [unit, owned.map(({ entry }) => entry)]),
);

/**
 * Every unit that any family has for it, the likeliest first, then those that may serve it with others; what a probe asks for before
 * it knows the family.
 */
export function candidatesOf(entry: Entry): string[] {
  return [...new Set([...Object.values(entry.units).flat(), ...(entry.served.length > 0 ? SUPER_SERVERS : [])])];
}

const FAMILIES: Readonly<Record<Family, readonly string[]>> = {
  debian: ['debian', 'ubuntu', 'raspbian', 'linuxmint', 'devuan', 'kali', 'pop'],
  rhel: [
    'rhel',
    'fedora',
    'centos',
    'rocky',
    'almalinux',
    'ol',
    'amzn',
    'photon',
    'azurelinux',
    'mariner',
    'openEuler',
    'scientific',
  ],
  suse: ['suse', 'opensuse', 'sles', 'sled', 'opensuse-leap', 'opensuse-tumbleweed', 'sle-micro', 'sl-micro'],
  arch: ['arch', 'archarm', 'manjaro', 'endeavouros', 'gentoo', 'artix'],
};

/** From ID, then ID_LIKE in its order; null for what is neither. */
export function familyOf(os: Os): Family | null {
  for (const id of [os.id, ...os.idLike]) {
    const found = (Object.keys(FAMILIES) as Family[]).find((family) => FAMILIES[family].includes(id));
    if (found) return found;
  }
  return null;
}

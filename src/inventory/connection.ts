import { type InventoryConnection, Secret, type UsageError } from '../model/index.ts';
import type { Setting, Settings } from './graph.ts';
import { mistake, quoted } from './mistake.ts';
import { isHostName } from './names.ts';
import { readSshArguments } from './ssh-arguments.ts';

/** How to reach a host, or why this program will not: known only when someone wants to. */
export type ConnectionResult =
  | { readonly kind: 'connection'; readonly connection: InventoryConnection; readonly notes: readonly Note[] }
  | { readonly kind: 'unusable'; readonly error: UsageError };

export interface Note {
  readonly setting: Setting;
  readonly message: string;
}

class Unusable extends Error {
  readonly error: UsageError;
  constructor(error: UsageError) {
    super(error.message);
    this.error = error;
  }
}

// Where several names mean the same, the later one wins: so Ansible’s ssh connection reads them.
const ADDRESS = ['ansible_host', 'ansible_ssh_host'];
const PORT = ['ansible_port', 'ansible_ssh_port'];
const USER = ['ansible_user', 'ansible_ssh_user'];
const KEY_FILE = ['ansible_private_key_file', 'ansible_ssh_private_key_file'];
const PASSWORD = ['ansible_password', 'ansible_ssh_pass', 'ansible_ssh_password'];
const BECOME_PASSWORD = ['ansible_become_password', 'ansible_become_pass'];
const METHOD_PASSWORD = { sudo: 'ansible_sudo_pass', su: 'ansible_su_pass', doas: 'ansible_doas_pass' };
const SSH_ARGUMENTS = ['ansible_ssh_args', 'ansible_ssh_common_args', 'ansible_ssh_extra_args'];

const SSH_CONNECTIONS = /^(?:ansible\.builtin\.)?(?:ssh|smart|paramiko|paramiko_ssh)$/;
const BECOME_METHOD = /^(?:(?:ansible\.builtin|community\.general)\.)?(sudo|doas|su)$/;
const ACCOUNT = /^[\p{L}\p{N}_][\p{L}\p{N}_.@\\+$-]*$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Takes the connection settings out of a host’s variables.
 * Throws a UsageError for a value that cannot be right (an address with a space, port 70000): the file is bad.
 * Returns `unusable` for one that is right for Ansible but not followed here (a template, a vault value,
 * `ansible_connection=local`, another `become` method): other hosts of the inventory can still be used.
 */
export function readConnection(settings: Settings): ConnectionResult {
  try {
    requireSsh(settings);
    const notes: Note[] = [];
    const connection = { ...login(settings), ...escalation(settings), ...sshArguments(settings, notes) };
    Object.assign(connection, passwords(settings, connection.becomeMethod, notes));
    return { kind: 'connection', connection, notes };
  } catch (error) {
    if (error instanceof Unusable) return { kind: 'unusable', error: error.error };
    throw error;
  }
}

function requireSsh(settings: Settings): void {
  const connection = text(settings, ['ansible_connection']);
  if (connection === undefined || SSH_CONNECTIONS.test(connection.value)) return;
  throw new Unusable(
    mistake(
      connection.setting.origin,
      `ansible_connection is ${quoted(connection.value)}; only ssh is supported`,
      'Leave this host out of the pattern ("…:!NAME"), or reach it over ssh.',
    ),
  );
}

function login(settings: Settings): InventoryConnection {
  const address = text(settings, ADDRESS);
  const user = text(settings, USER);
  const keyFile = text(settings, KEY_FILE);
  const port = portOf(settings);
  if (address !== undefined && !isHostName(address.value))
    throw wrong(address, 'is not a host name or an address', 'Write a name, an IPv4 or an IPv6 address alone.');
  if (user !== undefined && !ACCOUNT.test(user.value)) throw wrong(user, 'is not an account', 'Write its login name.');
  if (keyFile !== undefined && (keyFile.value === '' || CONTROL.test(keyFile.value)))
    throw wrong(keyFile, 'is not a file name', 'Write the path of the private key.');
  return {
    ...(address && { address: address.value }),
    ...(port !== undefined && { port }),
    ...(user && { user: user.value }),
    ...(keyFile && { privateKeyFile: keyFile.value }),
  };
}

function portOf(settings: Settings): number | undefined {
  const port = text(settings, PORT);
  if (port === undefined) return undefined;
  const number = /^\d{1,5}$/.test(port.value.trim()) ? Number(port.value) : 0;
  if (number < 1 || number > 65535) throw wrong(port, 'is not a port', 'A port is a number from 1 to 65535.');
  return number;
}

function escalation(settings: Settings): InventoryConnection {
  const become = text(settings, ['ansible_become']);
  const method = text(settings, ['ansible_become_method']);
  const user = text(settings, ['ansible_become_user']);
  const becomeMethod = method && BECOME_METHOD.exec(method.value)?.[1];
  if (method !== undefined && becomeMethod === undefined)
    throw new Unusable(wrong(method, 'is not supported', 'Use sudo, doas or su.'));
  if (user !== undefined && !ACCOUNT.test(user.value)) throw wrong(user, 'is not an account', 'Write its login name.');
  return {
    ...(become && { become: truth(become) }),
    ...(becomeMethod && { becomeMethod: becomeMethod as 'sudo' | 'doas' | 'su' }),
    ...(user && { becomeUser: user.value }),
  };
}

/** Never quoted in a message. What cannot be read here is noted, since a flag may give it. */
function passwords(
  settings: Settings,
  method: InventoryConnection['becomeMethod'],
  notes: Note[],
): Pick<InventoryConnection, 'password' | 'becomePassword'> {
  const read = (names: readonly string[], what: string, flags: string): Secret | undefined => {
    const name = names.findLast((each) => (settings.get(each)?.value ?? null) !== null);
    if (name === undefined) return undefined;
    const setting = settings.get(name)!;
    const value = marked(setting.value, '__ansible_unsafe') ?? setting.value;
    const cannot =
      marked(value, '__ansible_vault') !== undefined ||
      (typeof value === 'string' && value.startsWith('$ANSIBLE_VAULT'))
        ? 'is encrypted with ansible-vault'
        : typeof value === 'string' && value === setting.value && /\{[{%]/.test(value)
          ? 'is a template'
          : undefined;
    if (cannot !== undefined) {
      notes.push({ setting, message: `${name} ${cannot} and is not read; give ${what} with ${flags}` });
      return undefined;
    }
    const text = Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || text === '' || CONTROL.test(text))
      throw mistake(setting.origin, `${name} is not a line of text`, 'Write it in quotes.');
    return new Secret(what, text);
  };
  const password = read(PASSWORD, 'the SSH password', '-k or --password-file');
  const names = [...BECOME_PASSWORD, METHOD_PASSWORD[method ?? 'sudo']];
  const becomePassword = read(names, 'the password for becoming root', '-K or --become-password-file');
  return { ...(password && { password }), ...(becomePassword && { becomePassword }) };
}

function truth(said: Said): boolean {
  if (/^(?:y|yes|on|1|1\.0|true|t)$/i.test(said.value)) return true;
  if (/^(?:n|no|off|0|0\.0|false|f|)$/i.test(said.value)) return false;
  throw wrong(said, 'is neither true nor false', 'Write true or false.');
}

function sshArguments(settings: Settings, notes: Note[]): InventoryConnection {
  let connection: InventoryConnection = {};
  for (const name of SSH_ARGUMENTS) {
    const said = text(settings, [name]);
    if (said === undefined) continue;
    const result = readSshArguments(said.value);
    if (result.kind === 'unsupported')
      throw new Unusable(
        mistake(
          said.setting.origin,
          `${name} is not supported: ${quoted(result.why)}`,
          'Only -J, -F, -o ProxyJump= and -o ProxyCommand= are followed; say the rest in ansible_* variables or ssh_config.',
        ),
      );
    const { ignored, ...followed } = result.said;
    // As on ssh’s command line, what comes first wins.
    connection = { ...followed, ...connection };
    if (ignored.length > 0)
      notes.push({ setting: said.setting, message: `${name}: ${ignored.join(' ')} is not followed` });
  }
  return connection;
}

interface Said {
  readonly name: string;
  readonly value: string;
  readonly setting: Setting;
}

/** The text of the last of these variables that is set; null is not set. */
function text(settings: Settings, names: readonly string[]): Said | undefined {
  let said: Said | undefined;
  for (const name of names) {
    const setting = settings.get(name);
    if (setting === undefined || setting.value === null) continue;
    said = { name, value: textOf(name, setting), setting };
  }
  return said;
}

function textOf(name: string, setting: Setting): string {
  const { value, origin } = setting;
  const unsafe = marked(value, '__ansible_unsafe');
  if (unsafe !== undefined) return unsafe;
  if (
    marked(value, '__ansible_vault') !== undefined ||
    (typeof value === 'string' && value.startsWith('$ANSIBLE_VAULT'))
  )
    throw new Unusable(
      mistake(
        origin,
        `${name} is encrypted with ansible-vault`,
        'Write the connection variables in clear, or give them as flags.',
      ),
    );
  if (typeof value === 'string' && /\{[{%]/.test(value))
    throw new Unusable(
      mistake(
        origin,
        `${name} is a template: ${quoted(value)}`,
        'Templates are not evaluated; write the value out, or give it as a flag.',
      ),
    );
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw mistake(origin, `${name} is not a single value`, 'Write one text or number.');
}

function marked(value: unknown, marker: string): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, marker)) return undefined;
  return String((value as Record<string, unknown>)[marker]);
}

function wrong(said: Said, what: string, hint: string): UsageError {
  return mistake(said.setting.origin, `${said.name} ${what}: ${quoted(said.value)}`, hint);
}

import { type InventoryConnection, Secret, UsageError } from '../model/index.ts';
import type { Setting, Settings } from './graph.ts';
import { mistake, quoted } from './mistake.ts';
import { isHostName } from './names.ts';
import { readSshArguments } from './ssh-arguments.ts';
import { type Expanded, expandTemplate, isTemplate, type TemplateScope } from './template.ts';

/** How to reach a host, or why this program will not: judged only when someone wants to. */
export type ConnectionResult =
  | { readonly kind: 'connection'; readonly connection: InventoryConnection; readonly notes: readonly Note[] }
  | ({ readonly kind: 'unusable' } & Unusable);

/** Why a host cannot be connected to: it is none of SSH, a value is known to Ansible alone, or something is wrong. */
export interface Unusable {
  readonly why: 'not-ssh' | 'template' | 'mistake';
  readonly error: UsageError;
}

export interface Note {
  readonly setting: Setting;
  readonly message: string;
}

class CannotUse extends Error {
  readonly why: Unusable['why'];
  readonly error: UsageError;
  constructor(why: Unusable['why'], error: UsageError) {
    super(error.message);
    this.why = why;
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

/** The plugins of Ansible that speak SSH to a host with a shell. */
const SSH_CONNECTIONS = /^(?:ansible\.builtin\.)?(?:ssh|smart|paramiko|paramiko_ssh)$|^ansible\.netcommon\.libssh$/;
const BECOME_METHOD = /^(?:(?:ansible\.builtin|community\.general)\.)?(sudo|doas|su)$/;
const ACCOUNT = /^[\p{L}\p{N}_][\p{L}\p{N}_.@\\+$-]*$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The variables of a host, and what the templates in them mean. */
interface Said {
  readonly settings: Settings;
  readonly scope: TemplateScope;
}

/**
 * Takes the connection settings out of a host’s variables. A host whose settings are wrong, or are not followed here, is
 * `unusable`: it stops nobody who does not select it.
 */
export function readConnection(settings: Settings, scope: TemplateScope): ConnectionResult {
  const said = { settings, scope };
  try {
    requireSsh(said);
    const notes: Note[] = [];
    const connection = { ...login(said), ...escalation(said), ...sshArguments(said, notes) };
    Object.assign(connection, passwords(said, connection.becomeMethod, notes));
    return { kind: 'connection', connection, notes };
  } catch (error) {
    if (error instanceof CannotUse) return { kind: 'unusable', why: error.why, error: error.error };
    if (error instanceof UsageError) return { kind: 'unusable', why: 'mistake', error };
    throw error;
  }
}

function requireSsh(said: Said): void {
  const connection = text(said, ['ansible_connection']);
  if (connection === undefined || SSH_CONNECTIONS.test(connection.value)) return;
  const message = `ansible_connection is ${quoted(connection.value)}; only ssh is supported`;
  throw new CannotUse('not-ssh', mistake(connection.setting.origin, message));
}

function login(said: Said): InventoryConnection {
  const address = text(said, ADDRESS);
  const user = text(said, USER);
  const keyFile = text(said, KEY_FILE);
  const port = portOf(said);
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

function portOf(said: Said): number | undefined {
  const port = text(said, PORT);
  if (port === undefined) return undefined;
  const number = /^\d{1,5}$/.test(port.value.trim()) ? Number(port.value) : 0;
  if (number < 1 || number > 65535) throw wrong(port, 'is not a port', 'A port is a number from 1 to 65535.');
  return number;
}

function escalation(said: Said): InventoryConnection {
  const become = text(said, ['ansible_become']);
  const method = text(said, ['ansible_become_method']);
  const user = text(said, ['ansible_become_user']);
  const becomeMethod = method && BECOME_METHOD.exec(method.value)?.[1];
  if (method !== undefined && becomeMethod === undefined)
    throw wrong(method, 'is not supported', 'Use sudo, doas or su.');
  if (user !== undefined && !ACCOUNT.test(user.value)) throw wrong(user, 'is not an account', 'Write its login name.');
  return {
    ...(become && { become: truth(become) }),
    ...(becomeMethod && { becomeMethod: becomeMethod as 'sudo' | 'doas' | 'su' }),
    ...(user && { becomeUser: user.value }),
  };
}

/** Never quoted in a message. What cannot be read here is noted, since a flag may give it. */
function passwords(
  { settings, scope }: Said,
  method: InventoryConnection['becomeMethod'],
  notes: Note[],
): Pick<InventoryConnection, 'password' | 'becomePassword'> {
  const read = (names: readonly string[], what: string, flags: string): Secret | undefined => {
    const name = names.findLast((each) => (settings.get(each)?.value ?? null) !== null);
    if (name === undefined) return undefined;
    const setting = settings.get(name)!;
    const value = marked(setting.value, '__ansible_unsafe') ?? setting.value;
    const template = typeof setting.value === 'string' ? evaluated(setting.value, scope) : undefined;
    const cannot =
      marked(value, '__ansible_vault') !== undefined ||
      (typeof value === 'string' && value.startsWith('$ANSIBLE_VAULT'))
        ? 'is encrypted with ansible-vault'
        : template?.kind === 'cannot'
          ? 'is a template that cannot be evaluated'
          : template?.text === ''
            ? 'is a template that comes to nothing'
            : undefined;
    if (cannot !== undefined) {
      notes.push({ setting, message: `${name} ${cannot} and is not read; give ${what} with ${flags}` });
      return undefined;
    }
    const text = template?.kind === 'text' ? template.text : Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || text === '' || CONTROL.test(text))
      throw mistake(setting.origin, `${name} is not a line of text`, 'Write it in quotes.');
    return new Secret(what, text);
  };
  const password = read(PASSWORD, 'the SSH password', '-k or --password-file');
  const names = [...BECOME_PASSWORD, METHOD_PASSWORD[method ?? 'sudo']];
  const becomePassword = read(names, 'the password for becoming root', '-K or --become-password-file');
  return { ...(password && { password }), ...(becomePassword && { becomePassword }) };
}

function truth(said: Text): boolean {
  if (/^(?:y|yes|on|1|1\.0|true|t)$/i.test(said.value)) return true;
  if (/^(?:n|no|off|0|0\.0|false|f|)$/i.test(said.value)) return false;
  throw wrong(said, 'is neither true nor false', 'Write true or false.');
}

function sshArguments(said: Said, notes: Note[]): InventoryConnection {
  let connection: InventoryConnection = {};
  for (const name of SSH_ARGUMENTS) {
    const written = text(said, [name]);
    if (written === undefined) continue;
    const result = readSshArguments(written.value);
    if (result.kind === 'unsupported')
      throw mistake(
        written.setting.origin,
        `${name} is not supported: ${quoted(result.why)}`,
        'Use -o, -J, -F, -i, -l, -p, -b, -c, -m, -4 and -6 there, or ansible_* variables, or ssh_config.',
      );
    const { ignored, sshOptions = [], ...followed } = result.said;
    // As on ssh’s command line, what comes first wins.
    const options = [...(connection.sshOptions ?? []), ...sshOptions];
    connection = { ...followed, ...connection, ...(options.length > 0 && { sshOptions: options }) };
    if (ignored.length > 0)
      notes.push({ setting: written.setting, message: `${name}: ${ignored.join(' ')} is not followed` });
  }
  return connection;
}

interface Text {
  readonly name: string;
  readonly value: string;
  readonly setting: Setting;
}

/** The text of the last of these variables that is set; null is not set. */
function text(said: Said, names: readonly string[]): Text | undefined {
  let found: Text | undefined;
  for (const name of names) {
    const setting = said.settings.get(name);
    if (setting === undefined || setting.value === null) continue;
    found = { name, value: textOf(name, setting, said.scope), setting };
  }
  return found;
}

function textOf(name: string, { value, origin }: Setting, scope: TemplateScope): string {
  const unsafe = marked(value, '__ansible_unsafe');
  if (unsafe !== undefined) return unsafe;
  if (
    marked(value, '__ansible_vault') !== undefined ||
    (typeof value === 'string' && value.startsWith('$ANSIBLE_VAULT'))
  )
    throw new CannotUse(
      'template',
      mistake(
        origin,
        `${name} is encrypted with ansible-vault`,
        'Write the connection variables in clear, or give them as flags.',
      ),
    );
  const template = typeof value === 'string' ? evaluated(value, scope) : undefined;
  if (template?.kind === 'cannot')
    throw new CannotUse(
      'template',
      mistake(
        origin,
        `${name} is the template ${quoted(String(value))}, which ${template.why}`,
        'Write the value out.',
      ),
    );
  if (template?.kind === 'text') return template.text;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw mistake(origin, `${name} is not a single value`, 'Write one text or number.');
}

/** What a template comes to; undefined for text that is none. */
function evaluated(value: string, scope: TemplateScope): Expanded | undefined {
  return isTemplate(value) ? expandTemplate(value, scope) : undefined;
}

function marked(value: unknown, marker: string): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, marker)) return undefined;
  return String((value as Record<string, unknown>)[marker]);
}

function wrong(said: Text, what: string, hint: string): UsageError {
  return mistake(said.setting.origin, `${said.name} ${what}: ${quoted(said.value)}`, hint);
}

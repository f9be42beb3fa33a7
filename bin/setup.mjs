// Makes a clean clone ready: installs the locked packages and builds, each only when needed.
// Every npm script runs this first, so that `npm run demo` and `npm test` are all a newcomer types.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`fleetmask needs Node.js 20.19 or newer; this is ${process.version}`);

const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  // npm's own words go to stderr: stdout belongs to the command that runs next
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'installing packages');
}

const built = join(root, 'dist', 'main.js');
if (!existsSync(built) || statSync(built).mtimeMs < newest(join(root, 'src'))) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], 'building');
  for (const path of scripts(join(root, 'src'))) {
    const to = join(root, 'dist', path.slice(join(root, 'src').length));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(path, to);
    chmodSync(to, statSync(path).mode);
  }
}

function run(command, args, what) {
  process.stderr.write(`fleetmask: ${what} …\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) fail(`${what} failed${error ? `: ${error.message}` : ''}`);
}

function fail(message) {
  process.stderr.write(`fleetmask: ${message}\n`);
  process.exit(1);
}

function entries(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Newest mtime of the sources, directories included, so that a removed file counts as a change. */
function newest(dir) {
  const dirs = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Math.max(
    ...[dir, ...dirs, ...entries(dir), join(root, 'tsconfig.build.json')].map((path) => statSync(path).mtimeMs),
  );
}

/** What the compiler leaves behind: the shell programs. */
function scripts(dir) {
  return entries(dir).filter((path) => path.endsWith('.sh'));
}

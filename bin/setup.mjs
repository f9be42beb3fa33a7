// Makes a clean clone ready: installs the locked packages and builds, each only when needed.
// Every npm script runs this first, so that `npm run demo` and `npm test` are all a newcomer types.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
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
if (!existsSync(built) || statSync(built).mtimeMs < newest(join(root, 'src'))) await build();

/**
 * One file for what every command needs and a few for what some do: modules by the hundred cost more time to start than
 * the command line itself. ssh2 stays a package: it is CommonJS, with optional parts of its own.
 */
async function build() {
  process.stderr.write('fleetmask: building …\n');
  const fresh = join(root, `dist.${process.pid}`);
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    // the command line, and what a program imports
    entryPoints: { main: 'src/main.ts', library: 'src/operations/index.ts' },
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // names stay, for the stack of a bug
    minifyWhitespace: true,
    minifySyntax: true,
    external: ['ssh2'],
    // bundled CommonJS packages ask for Node's own modules by `require`
    banner: {
      js: "import { createRequire as _require } from 'node:module'; const require = _require(import.meta.url);",
    },
    logLevel: 'warning',
  });
  // The shell programs lie beside the code that reads them: in their room, and here beside the bundle.
  for (const path of entries(join(root, 'src')).filter((path) => path.endsWith('.sh'))) {
    const to = join(fresh, relative(join(root, 'src'), path).split(sep).slice(1).join(sep));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(path, to);
    chmodSync(to, statSync(path).mode);
  }
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  renameSync(fresh, join(root, 'dist'));
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
    ...[dir, ...dirs, ...entries(dir), join(root, 'bin/setup.mjs')].map((path) => statSync(path).mtimeMs),
  );
}

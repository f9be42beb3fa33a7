#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';

const MIB = 1024 * 1024;
// What is needed before any host is known; src/operations/context/capacity.ts says what hosts need. The young generation is not old space.
const LEAST_MIB = 32;
const YOUNG_MIB = 48;
const LEAST_FILES = 40;

// Name look-ups run on libuv's thread pool: with the default of 4 threads, 100 slow names take 10 s.
process.env.UV_THREADPOOL_SIZE ??= '64';

await start();

async function start() {
  // before anything is loaded: some packages ask for the directory as they load, and without memory nothing can be said any more
  const memory = Math.round(getHeapStatistics().heap_size_limit / MIB) - YOUNG_MIB;
  if (memory < LEAST_MIB) {
    const how = 'Raise --max-old-space-size (see NODE_OPTIONS), or leave it out.';
    return refuse(`Node.js may use ${memory} MiB of memory, and fleetmask needs ${LEAST_MIB}`, how);
  }
  try {
    process.cwd();
  } catch {
    return refuse('the current directory no longer exists', 'Change to another directory, and run the command again.');
  }
  try {
    // A clone that nothing was run in yet is made ready first; a package has its dist.
    if (!existsSync(new URL('../dist/main.js', import.meta.url))) await import('./setup.mjs');
    const { main } = await import('../dist/main.js');
    await main();
  } catch (error) {
    if (error.code !== 'EMFILE' && error.code !== 'ENFILE') throw error;
    refuse(`too few open files are allowed: at least ${LEAST_FILES} are needed`, `Raise the limit: ulimit -n 1024.`);
  }
}

function refuse(message, hint) {
  process.stderr.write(`fleetmask: ${message}; nothing was touched\nhint: ${hint}\n`);
  process.exitCode = 2;
}

#!/usr/bin/env node
import { existsSync } from 'node:fs';

// Name look-ups run on libuv's thread pool: with the default of 4 threads, 100 slow names take 10 s.
process.env.UV_THREADPOOL_SIZE ??= '64';

// A clone that nothing was run in yet is made ready first; a package has its dist.
if (!existsSync(new URL('../dist/main.js', import.meta.url))) await import('./setup.mjs');
const { main } = await import('../dist/main.js');
await main();

#!/usr/bin/env node
// Name look-ups run on libuv's thread pool: with the default of 4 threads, 100 slow names take 10 s.
process.env.UV_THREADPOOL_SIZE ??= '64';
const { main } = await import('../dist/main.js');
await main();

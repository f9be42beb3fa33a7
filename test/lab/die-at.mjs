// Preloaded into fleetmask (`node --import`): SIGKILL at the Nth of the events at which it meets the world, FLEETMASK_DIE_AT=N.
// Events are: a record about to be appended to a journal, half of it written, all of it written, and it synced; bytes about to
// be sent, and bytes received but not looked at. 0 writes a list of them to FLEETMASK_DIE_LOG, from the first journal record on.
import { appendFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';

const at = Number(process.env.FLEETMASK_DIE_AT);
let met = 0;

function event(what, torn = () => {}) {
  if (met === 0 && !what.endsWith('record')) return;
  met += 1;
  if (at === 0) appendFileSync(process.env.FLEETMASK_DIE_LOG, `${what}\n`);
  if (met !== at) return;
  torn();
  process.kill(process.pid, 'SIGKILL');
}

const handle = await open('/dev/null');
const files = Object.getPrototypeOf(handle);
await handle.close();
const { appendFile, datasync } = files;
files.appendFile = async function (text) {
  const { type } = JSON.parse(text.split('\n')[0]);
  event(`before a ${type} record`);
  event(`within a ${type} record`, () => writeSync(this.fd, text.slice(0, text.length / 2)));
  await appendFile.call(this, text);
  event(`after a ${type} record`);
};
files.datasync = async function () {
  await datasync.call(this);
  event('after a sync of records');
};

const { push, write } = Socket.prototype;
Socket.prototype.push = function (chunk, encoding) {
  event(chunk === null ? 'the end' : 'received');
  return push.call(this, chunk, encoding);
};
Socket.prototype.write = function (...args) {
  event('about to send');
  return write.apply(this, args);
};

// A longer way to a host: what passes is held for so long in each direction. Needs nothing of the kernel, but cannot
// delay the TCP handshake. A process of its own, so that what the client computes does not hold up its timers.
//
//   delay-proxy.mjs DELAY-MS TARGET:PORT          prints the port it listens on, at 127.0.0.1
//   delay-proxy.mjs DELAY-MS echo                 sends everything back: for measuring the delay itself
import { connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';

const [delay, target] = process.argv.slice(2);

const server = createServer({ noDelay: true }, (near) => {
  const [host, port] = target.split(':');
  const far = target === 'echo' ? new PassThrough() : connect({ host, port: Number(port), noDelay: true });
  carry(near, far);
  carry(far, near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ]) {
    one.on('error', () => other.destroy());
    one.on('close', () => later(() => other.destroy()));
  }
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume().on('end', () => process.exit());

function carry(from, to) {
  from.on('data', (chunk) => later(() => to.writable && to.write(chunk)));
  from.on('end', () => later(() => to.writable && to.end()));
}

/** Timers of one length keep their order. */
function later(act) {
  if (Number(delay) === 0) act();
  else setTimeout(act, Number(delay));
}

// The least that a program on ssh2 can do: its defaults, one command per host, nothing checked. What it takes is the
// price of ssh2 and of systemd; what fleetmask takes beyond is fleetmask's own.
//
//   bare-ssh2.mjs KEY FORKS HOST:PORT…
//
// Prints a line of JSON per host: milliseconds from the start of the connection to being logged in, and to the outcome.
import { readFileSync } from 'node:fs';
import pLimit from 'p-limit';
import ssh2 from 'ssh2';

const [keyFile, forks, ...hosts] = process.argv.slice(2);
const privateKey = readFileSync(keyFile);
const limit = pLimit(Number(forks));
const codes = await Promise.all(hosts.map((host) => limit(() => maskOn(host))));
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

function maskOn(address) {
  const [host, port] = address.split(':');
  const started = performance.now();
  const since = () => performance.now() - started;
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    let ready = 0;
    client.on('error', (error) => {
      process.stderr.write(`${address}: ${error.message}\n`);
      resolve(255);
    });
    client.on('ready', () => {
      ready = since();
      client.exec('systemctl mask --now cron.service', (error, channel) => {
        if (error) throw error;
        channel.resume().stderr.resume();
        channel.on('close', (code) => {
          process.stdout.write(`${JSON.stringify({ address, code, ready, outcome: since() })}\n`);
          client.end();
          resolve(code);
        });
      });
    });
    // without a hostVerifier every host key is taken
    client.connect({ host, port: Number(port), username: 'root', privateKey, readyTimeout: 60_000 });
  });
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionOf, dialler, faultOf } from './dialling.ts';
import { knownLine, scratch } from './openssh.ts';
import { startServer, startTcp, type TestServer } from './server.ts';

const files = scratch();
const key = files.key('id');
const { connectTo, warnings } = dialler(files, key);
let server: TestServer;
beforeAll(async () => {
  server = await startServer(files, [key]);
});
afterAll(() => {
  server.close();
  files.close();
});

describe('what is said of one host', () => {
  it('as its name in known_hosts holds for every address and port', async () => {
    const known = files.write('alias', knownLine(server.port, server.hostKeys[0]!, 'the-alias'));
    const aliased = { hostKeyAlias: 'the-alias', knownHostsFiles: [known] };
    connectionOf(await connectTo({ port: server.port }, aliased)).close();
    const fault = faultOf(await connectTo({ port: server.port }, { ...aliased, hostKeyAlias: 'another' }));
    expect(fault).toMatchObject({
      kind: 'host-key',
      message: expect.stringContaining(`is not in ${known} for another`),
    });
  });

  it('as trust at first sight is remembered in its own file, and holds for no other host', async () => {
    const own = files.path('own');
    const trusting = { hostKeyChecking: 'accept-new', knownHostsFiles: [own] } as const;
    connectionOf(await connectTo({ port: server.port }, trusting)).close();
    expect(files.read('own')).toBe(knownLine(server.port, server.hostKeys[0]!));
    expect(faultOf(await connectTo({ port: server.port })).kind).toBe('host-key');
  });

  it('as /dev/null for known_hosts remembers nothing, without a word', async () => {
    const forgetful = { hostKeyChecking: 'accept-new', knownHostsFiles: ['/dev/null'] } as const;
    connectionOf(await connectTo({ port: server.port }, forgetful)).close();
    expect(warnings).toEqual([]);
  });

  it('as its time to connect wins over that of the run', async () => {
    const mute = await startTcp(() => undefined);
    const fault = faultOf(await connectTo(mute, { connectTimeoutMs: 150 }));
    mute.close();
    expect(fault).toMatchObject({ kind: 'timed-out', message: expect.stringContaining('within 0.15 s') });
  });

  it('as its address family and the address to come from is kept to', async () => {
    const known = { port: server.port, hostKeys: server.hostKeys };
    connectionOf(await connectTo(known, { bindAddress: '127.0.0.1', addressFamily: 4 })).close();
    expect(faultOf(await connectTo(known, { bindAddress: '192.0.2.1' }))).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('BindAddress'),
    });
  });

  it('and cannot be followed is told when the login fails', async () => {
    const stranger = { identityFiles: [files.key('stranger')], notFollowed: ['the certificate /keys/id-cert.pub'] };
    const fault = faultOf(await connectTo({ port: server.port, hostKeys: server.hostKeys }, stranger));
    expect(fault).toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(
        /; ssh_config asks for the certificate \/keys\/id-cert.pub, which is not supported$/,
      ),
    });
  });
});

import { printable } from '../model/index.ts';

/** What a server says before the protocol proper. ssh2 discards it, though it tells why a connection was dropped. */
export interface Greeting {
  /** Called with the raw bytes of the connection, in order. */
  add(chunk: Buffer): void;
  /** The server's software, e.g. `OpenSSH_9.2p1`, once its identification line has arrived. Not yet safe to print. */
  software(): string | undefined;
  /** Whether the server announced strict key exchange (the remedy against Terrapin). Known once it has sent its KEXINIT. */
  strictKex(): boolean;
  /** Why it hung up before identifying itself. */
  dropped(): Dropped;
}

export type Dropped =
  /** sshd's MaxStartups: too many connections are being set up at once. */
  | { readonly by: 'max-startups' }
  /** The same since OpenSSH 9.8, or its PerSourcePenalties, by which this client is barred for a while: it does not tell. */
  | { readonly by: 'not-now' }
  | { readonly by: 'not-ssh'; readonly said: string }
  | { readonly by: 'silence' };

/** An identification line and a KEXINIT take 1–2 KiB. */
const KEPT = 8 * 1024;

export function greeting(): Greeting {
  let text = '';
  /** Where the line begins that has not ended yet: what is before has been looked at. */
  let open = 0;
  let software: string | undefined;
  return {
    add(chunk) {
      if (text.length >= KEPT) return;
      const from = text.length;
      text += chunk.toString('latin1', 0, KEPT - text.length);
      for (let end = text.indexOf('\n', from); end >= 0 && software === undefined; end = text.indexOf('\n', open)) {
        software = /^SSH-(?:2\.0|1\.99)-([^ \r\n]+)/.exec(text.slice(open, end))?.[1];
        open = end + 1;
      }
    },
    software: () => software,
    strictKex: () => text.includes('kex-strict-s-v00@openssh.com'),
    dropped() {
      if (text.includes('Exceeded MaxStartups')) return { by: 'max-startups' };
      if (text.includes('Not allowed at this time')) return { by: 'not-now' };
      const said = text.split(/\r?\n/)[0] ?? '';
      return said === '' ? { by: 'silence' } : { by: 'not-ssh', said: printable(said, 80) };
    },
  };
}

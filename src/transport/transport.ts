import type { Fault, Target } from '../model/index.ts';

/** Opens connections. One implementation per way in (ssh2, OpenSSH), one contract suite for all. */
export interface Transport {
  /**
   * Connects and authenticates. Never throws for what a host or a network does: that is a Fault
   * (`unreachable`, `timed-out`, `auth`, `host-key`, `cancelled`). Retries only what failed before authentication.
   * `first`: the command that `exec` will be called with first, where that is known: it may be sent ahead.
   */
  connect(target: Target, signal: AbortSignal, first?: string): Promise<Connected | Failed>;
  /** Closes every connection that is still open. */
  close(): void;
}

export interface Connected {
  readonly connection: Connection;
}
export interface Failed {
  readonly fault: Fault;
  /** What it failed for and the program ssh may have: `its key exchange`. Nothing that counts as a failed login but for keys. */
  readonly onlySsh?: string;
}

export interface Connection {
  /** How it came about, for `doctor`. */
  readonly description: Description;
  /** Starts one command without a pty. May be called again while another command runs. */
  exec(command: string, output: OutputSink): RemoteProcess;
  /** Ends the connection at once, whatever the peer does. Idempotent. */
  close(): void;
}

export interface Description {
  /** Type of the host key. Safe to print, as all of this. */
  readonly hostKey: string;
  /** What let us in, in order: more than one step where the server wanted more than one method. */
  readonly auth: readonly AuthStep[];
  /** Whether the server took the remedy against Terrapin (CVE-2023-48795). */
  readonly strictKex: boolean;
}

export interface AuthStep {
  readonly method:
    | 'publickey'
    | 'password'
    | 'keyboard-interactive'
    | 'hostbased'
    | 'gssapi-with-mic'
    | 'gssapi-keyex'
    | 'none';
  /** Of a key: its type, short fingerprint and source. */
  readonly identity: string | null;
}

export interface OutputSink {
  /** Raw bytes, in order, as they arrive. Bytes beyond the cap are never delivered. */
  stdout(chunk: Buffer): void;
  /** The same of stderr, for a dialogue: prompts come there. What is said when a command ends is in `Ended` too. */
  stderr?(chunk: Buffer): void;
}

export interface RemoteProcess {
  /**
   * Queued until the server takes input for the command; dropped when it has ended. OpenSSH opens its window only with
   * the command, so input arrives a round trip after the command line.
   */
  write(data: string): void;
  /** Half-closes stdin. */
  end(): void;
  /** Settles exactly once, and always: with the process, the connection, a cap or `kill`. Never rejects. */
  readonly ended: Promise<Ended>;
  /** Stops waiting: closes the channel and settles `ended` as `lost`. The remote process is not killed. */
  abandon(): void;
}

/** How a remote process ended. `stderr` is the first few KiB of it, raw. */
export type Ended = { readonly stderr: string } & (
  | { readonly how: 'exited'; readonly code: number }
  | { readonly how: 'signalled'; readonly signal: string }
  /** The exit status never came: connection lost, channel refused, or `abandon`. Never a success. */
  | { readonly how: 'lost'; readonly why: string }
  /** More output than is allowed, or in more pieces; the connection was destroyed. `what`: `more than … bytes`. */
  | { readonly how: 'flooded'; readonly what: string }
);

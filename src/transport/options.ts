import type { HostKeyDefaults } from './host-keys/policy.ts';

/** What both ways in are told: by ssh2, and by ssh. */
export interface ConnectOptions extends HostKeyDefaults {
  /** From the first TCP packet to being logged in, retries included; also what a command may take to be started. */
  readonly connectTimeoutMs: number;
  /** Cap per stream and command, in bytes. Default 4 MiB. */
  readonly maxOutputBytes?: number;
  /** Silence after which a keepalive is sent; three unanswered ones end the connection. Default 15 s. */
  readonly keepaliveMs?: number;
  /** What the operator should know although nothing failed, as a line that is safe to print. */
  readonly onWarning?: (text: string) => void;
}

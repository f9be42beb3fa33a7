/**
 * Every way a host can fail, each with one hint. The only table of fault kinds:
 * the report prints `message` (what happened on this host, already safe to show)
 * and the hint from here unless the fault brings a more specific one.
 */
const HINTS = {
  // ways in
  unreachable: 'Check the address, the port and that sshd is running; the host was not touched.',
  'timed-out': 'Raise --timeout or --host-timeout, or look at the load of the host.',
  auth: 'Check -u, --private-key and the agent; the message says what was tried and what was skipped.',
  unanswered: 'Run this at a terminal, where a person can answer what the host asks; or exempt this account from it.',
  'host-key': 'Verify the fingerprint out of band, then add it to known_hosts (or use --host-key-checking accept-new).',
  'not-ssh': 'Only hosts that are reached by SSH can be masked; leave it out of -l to have it reported no more.',
  template: 'Write the value out in the inventory.',
  'no-shell':
    'The account must be able to run `sh`: check its login shell, its start-up files, ForceCommand, and command= in authorized_keys.',
  'no-privilege': 'Log in as root (-u root), give the sudo password with -K, or allow `sudo -n` for this account.',
  'bad-reply': 'The host did not speak the protocol; treat its answers with suspicion and look at it by hand.',
  // what the host is
  'no-systemd': 'This host was not booted with systemd; a mask would prove nothing here.',
  'no-unit': 'Name the unit literally (NAME.service), or use --allow-absent to mask it before it is installed.',
  'ambiguous-unit': 'Name the unit you mean literally, one per run.',
  'local-unit':
    'A mask cannot shadow a unit file of the administrator; --local-units displace moves it aside until a rollback.',
  protected: 'The host needs this unit to boot or to be reached; fleetmask does not mask it.',
  guardrail:
    'The administrator of this controller forbids it, in the file that the message names; no flag overrides that.',
  ineffective: 'Something outranks or outlives a mask of this unit; deal with that first.',
  'masked-elsewhere': 'Remove what masks the unit by hand; it is not a link that systemctl unmask would remove.',
  'not-reloaded':
    'Run `systemctl daemon-reload` on the host, if what lies on disk there is to hold; then run this command again.',
  'stale-plan': 'The host changed since it was planned; make a new plan.',
  locked: 'Wait for the other run to finish, or settle it first.',
  'newer-run': 'Put the newer run back first: fleetmask rollback of that one, and then of this one.',
  'not-armed': 'The host must be able to put itself back before it is changed; the message says what it lacks.',
  // what went wrong during a change
  journal:
    'See that the journal can be written (room, permissions), or set FLEETMASK_STATE_DIR; nothing is changed that cannot be recorded first.',
  'write-failed': 'Check that what the message names is writable (read-only file system, immutable flag, full disk).',
  'stop-refused': 'The unit refuses manual stops; mask it without --now, or change RefuseManualStop= first.',
  'still-running': 'Look at `systemctl status` of the unit there; raise --host-timeout if it merely stops slowly.',
  'start-not-blocked':
    'Look for a unit file in /run/systemd/transient or /etc/systemd/system.control that outranks the mask.',
  'read-back': 'What was read back is not what was asked; look at the unit on the host.',
  'not-restored': 'Compare the host with the prior state in `fleetmask runs show`, and repair it by hand.',
  'no-receipt':
    'If the change is to stay, nothing is left to do. If not, remove it with `fleetmask unmask` (a mask) or mask the unit again.',
  'cut-off': 'The change would have locked you out of this host.',
  unconfirmed: 'The host is as it was before the run; make the change again, and confirm it in time.',
  expired: 'The host is as it was before the run; make the change again if it is to stay.',
  lost: 'The connection broke after the change began; run `fleetmask status` when the host is back.',
  budget: 'Look at the hosts that failed; then run it again, or put back what was changed with `fleetmask rollback`.',
  'fleet-rollback': 'Nothing is wrong with this host; look at the one that failed.',
  interrupted: 'It is as it was before the run; run the change again for this host.',
  cancelled: 'The run was interrupted; run it again for the hosts that were not started.',
  forgotten: 'If it comes back, recover it by its receipts: fleetmask recover --from-hosts.',
  bug: 'This is a bug in fleetmask; please report it with the journal of the run.',
} as const;

export type FaultKind = keyof typeof HINTS;

export interface Fault {
  readonly kind: FaultKind;
  /** One sentence about this host. Host-supplied text in it has passed `printable`. */
  readonly message: string;
  readonly hint: string;
  /** Of `protected`: the units from the one asked for to the one that the session or the boot needs, each needing the one before. */
  readonly chain?: readonly string[];
  /** Of `host-key`: a key that nobody has vouched for yet, so that those of all hosts can be shown together. */
  readonly hostKey?: UnknownHostKey;
}

export interface UnknownHostKey {
  readonly type: string;
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** Its line for known_hosts. */
  readonly line: string;
}

export function fault(kind: FaultKind, message: string, hint: string = HINTS[kind], chain?: readonly string[]): Fault {
  return { kind, message, hint, ...(chain && { chain }) };
}

/** An operator's mistake (flags, inventory, plan file): the run ends with exit 2, nothing was touched. */
export class UsageError extends Error {
  override name = 'UsageError';
  /** What to do about it, one line. */
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Where in a file a mistake was found, as `file:line`. */
export function at(file: string, line: number | undefined, message: string): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}

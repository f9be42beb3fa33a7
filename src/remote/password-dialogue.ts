/**
 * sudo or su with a password, without a terminal. The password goes out once, when its prompt has come and never after the
 * shell has started: what is sent blindly is executed on a host that wants no password. The program goes out only when the
 * shell has said its mark: what is sent earlier is tried as a password.
 */
import { StringDecoder } from 'node:string_decoder';
import { type Fault, fault, printable, type Secret } from '../model/index.ts';
import type { Connection, Ended, RemoteProcess } from '../transport/transport.ts';
import { CLEAN_SHELL } from './clean-shell.ts';
import { newNonce } from './protocol.ts';
import { asksForCode, endedEarly, isQuestion, refusalOf, refusalOnceMore, type Verdict } from './refusals.ts';

/** The password of a run, as one host may be told it. */
export interface HostPassword {
  /** Called when the host asks. May wait until the password is proved elsewhere, and may withhold it. Never rejects. */
  lend(deadline: AbortSignal): Promise<Loan>;
  /** What became of a loan, once for each: `unused` when the host no longer wanted it. */
  settle(verdict: Verdict | 'unused'): void;
}

export type Loan =
  | { readonly kind: 'lent'; readonly secret: Secret }
  /** `why`: a sentence, safe to print. */
  | { readonly kind: 'withheld'; readonly why: string; readonly hint: string };

export type Started =
  | { readonly kind: 'answer'; readonly value: RemoteProcess }
  | { readonly kind: 'fault'; readonly fault: Fault };

/** Of what came before the shell, so much is kept, and matched. */
const MAX_HEARD = 16 * 1024;

/** Of the line that came last, so much is looked at for a prompt. */
const MAX_PROMPT = 1024;

/** How long a host may take to stop what asks. */
const KILL_MS = 3_000;

/** sudo's prompt, and the first word of sudo or su, with its process number, and of the shell. */
export interface Marks {
  readonly asks: string;
  readonly runs: string;
}

/**
 * The prompt is written in two halves that the remote shell joins: what merely repeats the command does not contain it. The
 * process number comes on stderr before sudo or su has begun, so that it is known what they said, and who is to be stopped.
 */
export function passwordCommand(method: 'sudo' | 'su', { asks, runs }: Marks): string {
  const become = `echo ${runs}; privilege=${method} why=; `;
  // su starts root's login shell, of whatever sort, and keeps the environment
  const by =
    method === 'sudo' ? `sudo -S -p ${asks.slice(0, 12)}""${asks.slice(12)} -- sh -c "${become}$1"` : 'su -c "$2" root';
  const asRoot = `if [ "$(exec id -u)" = 0 ]; then echo ${runs}; privilege=root why=; eval "$1"; fi`;
  const whole = `${asRoot}; echo ${runs} $$ >&2; FLEETMASK_CLEAN="${become}$1" LC_ALL=C exec ${by}`;
  return `exec sh -c '${whole}' sh '${CLEAN_SHELL}' 'exec sh -c "$FLEETMASK_CLEAN"'`;
}

/** Whether a line that is still open ends in the prompt. sudo shows ours, which sudo-rs wraps: `[sudo: MARK] Password: `. */
function isPrompt(method: 'sudo' | 'su', asks: string, line: string): boolean {
  if (method === 'su') return /password/i.test(line) && /: ?$/.test(line) && !asksForCode(line);
  const at = line.lastIndexOf(asks);
  if (at < 0) return false;
  const after = line.slice(at + asks.length);
  return /: ?$/.test(after) || (/^ ?$/.test(after) && !line.slice(0, at).endsWith('[sudo: '));
}

type Stage =
  | { readonly is: 'waiting' }
  /** The prompt came; the password is being lent. */
  | { readonly is: 'asked' }
  | { readonly is: 'told' }
  | { readonly is: 'over' };

/** Longer than a mark with a process number and the end of its line. */
const MARK_ROOM = 64;

export class PasswordDialogue {
  readonly #method: 'sudo' | 'su';
  readonly #connection: Connection;
  readonly #password: HostPassword;
  readonly #listen: (chunk: Buffer) => void;
  readonly #process: RemoteProcess;
  readonly #marks: Marks = { asks: newNonce(), runs: newNonce() };
  readonly #runs: RegExp;
  readonly #begins: RegExp;
  readonly #deadline = new AbortController();
  #stage: Stage = { is: 'waiting' };
  #secret: Secret | undefined;
  #ended = false;
  /** Of sudo or su, once it has begun. */
  #pid: string | undefined;
  readonly #decoder = new StringDecoder('utf8');
  /** What came on stderr since the stage began, and of that the line that is still open. */
  #said = '';
  #line = '';
  /** What came on stdout before the shell. */
  #heard = '';
  #shellRuns = false;
  /** A start-up file has joined both ways out (`exec 2>&1`): what asks is heard on stdout. */
  #joined = false;
  #finish: (started: Started) => void = () => {};

  constructor(connection: Connection, method: 'sudo' | 'su', password: HostPassword, listen: (chunk: Buffer) => void) {
    this.#connection = connection;
    this.#method = method;
    this.#password = password;
    this.#listen = listen;
    const { runs } = this.#marks;
    // not at the beginning of a line: a start-up file may have left one open
    this.#begins = new RegExp(`${runs} (\\d{1,10})\\r?\\n`);
    this.#runs = new RegExp(`${runs}\\r?\\n`);
    this.#process = connection.exec(passwordCommand(method, this.#marks), {
      stdout: (chunk) => (this.#shellRuns ? listen(chunk) : this.#onStdout(chunk)),
      stderr: (chunk) => this.#onStderr(chunk),
    });
  }

  /** The shell, once it runs. */
  async shell(deadline: AbortSignal): Promise<Started> {
    const started = new Promise<Started>((resolve) => {
      this.#finish = resolve;
    });
    const expire = () => {
      this.#deadline.abort();
      this.#fail(fault('timed-out', this.#unanswered()));
    };
    void this.#process.ended.then((ended) => this.#onEnd(ended));
    deadline.addEventListener('abort', expire, { once: true });
    if (deadline.aborted) expire();
    const result = await started;
    deadline.removeEventListener('abort', expire);
    return result;
  }

  #onStderr(chunk: Buffer): void {
    if (this.#stage.is === 'over') return;
    let text = this.#decoder.write(chunk);
    if (this.#pid === undefined) {
      // what came before has been searched
      const seen = this.#said.slice(-MARK_ROOM);
      const begins = this.#begins.exec(seen + text);
      if (begins === null) {
        this.#keep(text);
        return;
      }
      this.#pid = begins[1];
      text = (seen + text).slice(begins.index + begins[0].length);
      this.#said = '';
      this.#line = '';
    }
    this.#keep(text);
    if (isPrompt(this.#method, this.#marks.asks, this.#line)) {
      // before it was asked for, it was turned down: somebody else's failures are being counted, and one more helps nobody
      if (this.#stage.is === 'told') this.#refuseAgain();
      else if (/try again/i.test(this.#said)) this.#refuse(this.#said);
      else if (this.#stage.is === 'waiting') void this.#tell();
    } else if (this.#stage.is !== 'asked' && isQuestion(this.#line)) {
      this.#refuse(this.#said);
    }
  }

  #keep(text: string): void {
    this.#said = this.#ending(this.#said + text);
    const end = text.lastIndexOf('\n');
    this.#line = (end < 0 ? this.#line + text : text.slice(end + 1)).slice(-MAX_PROMPT);
  }

  async #tell(): Promise<void> {
    this.#stage = { is: 'asked' };
    const loan = await this.#password.lend(this.#deadline.signal);
    if ((this.#stage as Stage).is !== 'asked') {
      if (loan.kind === 'lent') this.#password.settle('unused');
    } else if (loan.kind === 'withheld') {
      this.#fail(fault('no-privilege', loan.why, loan.hint));
    } else {
      const { secret } = loan;
      this.#stage = { is: 'told' };
      this.#secret = secret;
      this.#said = '';
      this.#line = '';
      this.#process.write(`${secret.reveal()}\n`);
    }
  }

  #onStdout(chunk: Buffer): void {
    if (this.#stage.is === 'over') return;
    const fresh = this.#heard.slice(-MARK_ROOM) + chunk.toString('latin1');
    const mark = this.#runs.exec(fresh);
    if (mark === null) {
      this.#heard = this.#ending(this.#heard + chunk.toString('latin1'));
      if (this.#joined) this.#onStderr(chunk);
      else if (this.#pid === undefined && this.#begins.test(fresh)) {
        this.#joined = true;
        this.#onStderr(Buffer.from(fresh, 'latin1'));
      }
      return;
    }
    const after = fresh.slice(mark.index + mark[0].length);
    this.#shellRuns = true;
    this.#end('accepted', { kind: 'answer', value: concealing(this.#process, (text) => this.#hide(text)) });
    if (after !== '') this.#listen(Buffer.from(after, 'latin1'));
  }

  #onEnd(ended: Ended): void {
    this.#ended = true;
    if (this.#stage.is === 'over') return;
    const early = endedEarly('no-shell', { ...ended, stderr: this.#hide(ended.stderr) }, this.#hide(this.#heard));

    const { fault, verdict, known } = refusalOf(this.#method, this.#hide(this.#said), this.#told);
    // what never came as far as asking may be no shell at all
    const refused = ended.how === 'exited' && (known === 'yes' || this.#told === 'told');
    this.#end(refused ? verdict : 'unknown', { kind: 'fault', fault: refused ? fault : early });
  }

  /** It asks once more. sudo shows our prompt for whatever PAM asks, so that it may well be another question. */
  #refuseAgain(): void {
    const { fault, verdict } = refusalOnceMore(this.#method, this.#hide(this.#said));
    this.#end(verdict, { kind: 'fault', fault });
  }

  #refuse(said: string): void {
    const { fault, verdict } = refusalOf(this.#method, this.#hide(said), this.#told);
    this.#end(verdict, { kind: 'fault', fault });
  }

  #fail(problem: Fault): void {
    this.#end('unknown', { kind: 'fault', fault: problem });
  }

  #end(verdict: Verdict, result: Started): void {
    if (this.#stage.is === 'over') return;
    if (this.#stage.is === 'told') this.#password.settle(verdict);
    this.#stage = { is: 'over' };
    this.#deadline.abort();
    if (result.kind === 'answer') this.#finish(result);
    else void this.#stop().then(() => this.#finish(result));
  }

  /**
   * No further prompt is answered. For sudo-rs the end of input is an empty password, which fails and is asked for again, and
   * each of these counts where accounts are locked: so it is killed first, which its real user, and that is us, may do.
   */
  async #stop(): Promise<void> {
    if (!this.#ended && this.#pid !== undefined) {
      const kill = this.#connection.exec(`exec sh -c 'kill -9 ${this.#pid}'`, { stdout: () => {} });
      const late = new Promise((resolve) => {
        AbortSignal.timeout(KILL_MS).addEventListener('abort', resolve, { once: true });
      });
      await Promise.race([kill.ended, late]);
    }
    this.#process.end();
  }

  /**
   * The end of a text: at least `MAX_HEARD` characters of it, at most twice as many, for to cut it whenever a character comes would
   * copy all of it each time. The password goes out first: half of it would not be found.
   */
  #ending(text: string): string {
    return text.length > 2 * MAX_HEARD ? this.#hide(text).slice(-MAX_HEARD) : text;
  }

  /** What may be shown of what the host says: not the password, nor our own mark. */
  #hide(text: string): string {
    const spoken = text.replace(this.#begins, '');
    return this.#secret?.hideIn(spoken) ?? spoken;
  }

  get #told(): 'told' | 'untold' {
    return this.#stage.is === 'told' ? 'told' : 'untold';
  }

  #unanswered(): string {
    const line = printable(this.#hide(this.#said).trim().split('\n').at(-1) ?? '', 200);
    const last = line === '' ? '' : `; its last words: ${line}`;
    if (this.#stage.is === 'told')
      return `${this.#method} did not answer in time after it was told the password${last}`;
    return `the host did not answer in time${last}`;
  }
}

/** The shell as it is, but for what it says when it ends: a host may repeat what it was told. */
function concealing(shell: RemoteProcess, hide: (text: string) => string): RemoteProcess {
  return {
    write: (data) => shell.write(data),
    end: () => shell.end(),
    abandon: () => shell.abandon(),
    ended: shell.ended.then((ended) => ({ ...ended, stderr: hide(ended.stderr) })),
  };
}

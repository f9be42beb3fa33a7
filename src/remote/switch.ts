/** The language of switches: what is stored on a host for one, what is asked of it, and what it tells. */

import type { KeepOrder, SwitchEnd, SwitchOrder, SwitchState } from '../model/index.ts';
import type { HostRecord } from './blocks.ts';
import { part, rollbackProgram } from './program-source.ts';
import type { Stored } from './requests.ts';

/** The words that arm a switch, and what is stored for it. */
export function arming(
  order: SwitchOrder,
  run: string,
  where: 'etc' | 'run',
): { words: readonly string[]; stored: Stored } {
  // what is started at a boot says `resume`
  const program = `${rollbackProgram()}\n. "\${0%/*}/switch" && "\${2-fire}" ${run} ${where}`;
  const stored = { program, switch: part('switch.sh') };
  const words = [
    ...(order.confirmWithin === null ? [] : [`confirm-within=${order.confirmWithin}`]),
    ...(order.expires === null ? [] : [`expires=${expiryWord(order.expires)}`]),
    `program=${summary(stored.program)}`,
    `switch=${summary(stored.switch)}`,
  ];
  return { words, stored };
}

export function keepWords({ confirm, expires }: KeepOrder): string[] {
  return [
    ...(confirm ? ['confirm=yes'] : []),
    ...(expires === null ? [] : [`expires=${expires === 'never' ? expires : expiryWord(expires)}`]),
  ];
}

/** With the date as systemd reads it, which no shell can compute everywhere. */
function expiryWord(seconds: number): string {
  const [date = '', time = ''] = new Date(seconds * 1000).toISOString().slice(0, 19).split('T');
  return `${seconds}/${date}/${time}`;
}

/** LINES,CRC,SIZE of the file that a text becomes. */
function summary(text: string): string {
  const bytes = Buffer.from(`${text}\n`);
  return `${text.split('\n').length},${cksum(bytes)},${bytes.length}`;
}

/** The checksum of POSIX cksum(1): a CRC-32 over the bytes, then over their number, lowest byte first. */
export function cksum(bytes: Uint8Array): number {
  let crc = 0;
  const add = (byte: number) => {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  };
  for (const byte of bytes) add(byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256)) add(length % 256);
  return ~crc >>> 0;
}

const RUN = '[A-Za-z0-9-]{1,64}';

/** `switch RUN STATE LEFT EXPIRES` */
export function switchesFrom(records: readonly HostRecord[]): SwitchState[] {
  return matches(records, 'switch', new RegExp(`^(${RUN}) ([a-z]+) (-?\\d{1,9}|-|\\?) (\\d{1,12}|-)$`)).map(
    ([run = '', timer = '', left = '', expires = '']) => ({
      run,
      timer: timerOf(timer),
      confirmLeft: left === '-' ? null : left === '?' ? 'unknown' : Math.max(0, Number(left)),
      expires: expires === '-' ? null : Number(expires),
    }),
  );
}

/** As systemd calls a timer that waits, one whose service is at work, and one that is not there. */
function timerOf(word: string): SwitchState['timer'] {
  if (word === 'waiting' || word === 'restoring' || word === 'failed' || word === 'unreadable' || word === 'lost')
    return word;
  if (word === 'running') return 'firing';
  return word === 'dead' || word === 'none' ? 'none' : 'other';
}

/** `ended RUN TIME WHY` */
export function endsFrom(records: readonly HostRecord[]): SwitchEnd[] {
  return matches(records, 'ended', new RegExp(`^(${RUN}) (\\d{1,12}) (unconfirmed|expired|superseded)$`)).map(
    ([run = '', at = '', why = '']) => ({ run, at: Number(at), why: why as SwitchEnd['why'] }),
  );
}

function matches(records: readonly HostRecord[], kind: string, form: RegExp): string[][] {
  return records.flatMap((record) => {
    const match = record.kind === kind ? form.exec(record.text) : null;
    return match ? [match.slice(1)] : [];
  });
}

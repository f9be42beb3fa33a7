/** Ports by number, or by the name that the machine's services(5) gives them, as ssh takes them. */
import { readFileSync } from 'node:fs';

const SERVICES = '/etc/services';

/** From 0 to 65535; undefined: no such port. */
export function portOf(word: string): number | undefined {
  if (!/^\s*\+?\d+$/.test(word)) return services().get(word);
  const number = Number(word);
  return number <= 65_535 ? number : undefined;
}

let known: ReadonlyMap<string, number> | undefined;

/** Read when a name is met for the first time. Without the file there is the one name that every ssh may need. */
function services(): ReadonlyMap<string, number> {
  known ??= new Map([['ssh', 22], ...servicesIn(text())]);
  return known;
}

function text(): string {
  try {
    return readFileSync(SERVICES, 'utf8');
  } catch {
    return '';
  }
}

/** `name port/protocol alias …`; of a name's lines for TCP the first counts. */
function servicesIn(text: string): readonly (readonly [string, number])[] {
  return text
    .split('\n')
    .flatMap((line) => {
      const [name, port = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
      const number = /^(\d+)\/tcp$/.exec(port)?.[1];
      return name && number ? [name, ...aliases].map((each) => [each, Number(number)] as const) : [];
    })
    .reverse();
}

/** What LocalForward and its kin may say (readconf.c, parse_forward). Nothing is forwarded here; a bad one spoils the file. */
import { type ReadValue, words, wrong } from './keyword-values.ts';
import type { Line } from './line.ts';
import { portOf } from './ports.ts';

interface Field {
  readonly text: string;
  /** With a slash in it: a socket. */
  readonly is: 'path' | 'name';
}

export const localForward: ReadValue = (line) => {
  const [listen = '', connect] = words(line, 2);
  if (!connect) wrong(line, listen, 'complete: it has no target, as in 8080 host:80');
  return checked(line, `${listen}:${connect}`, 'local');
};

/** Without a target it is a proxy. */
export const remoteForward: ReadValue = (line) => {
  const [listen = '', connect] = words(line, 2);
  return connect ? checked(line, `${listen}:${connect}`, 'remote') : checked(line, listen, 'remote proxy');
};

export const dynamicForward: ReadValue = (line) => checked(line, words(line, 1)[0]!, 'local proxy');

type Way = 'local' | 'remote' | 'local proxy' | 'remote proxy';

function checked(line: Line, spec: string, way: Way): readonly string[] {
  // what the environment puts there is not looked at
  if (spec.includes('${')) return words(line, 2);
  const expected = way.endsWith('proxy') ? '[address:]port' : '[address:]port host:port';
  return isForwarding(spec, way) ? words(line, 2) : wrong(line, spec, `${expected}, or paths of sockets`);
}

function isForwarding(spec: string, way: Way): boolean {
  const fields = fieldsOf(spec);
  if (fields === undefined) return false;
  const [first, second, third] = fields;
  const lowest = way.startsWith('remote') ? 0 : 1; // the server may choose a port
  const listens = (field: Field | undefined): boolean => (portOf(field?.text ?? '') ?? -1) >= lowest;
  const connects = (field: Field | undefined): boolean => (portOf(field?.text ?? '') ?? 0) > 0;
  const isPath = (field: Field | undefined): boolean => field?.is === 'path';
  if (way.endsWith('proxy')) {
    if (fields.length === 2 && !isPath(second)) return listens(second);
    return fields.length <= 2 && (isPath(first) || listens(first));
  }
  switch (fields.length) {
    case 2:
      return isPath(second) && (isPath(first) || listens(first));
    case 3:
      if (isPath(first)) return connects(third);
      return isPath(third) ? listens(second) : listens(first) && connects(third);
    case 4:
      return listens(second) && connects(fields[3]);
    default:
      return false;
  }
}

/** Parted by colons, but for those in brackets or behind a backslash; undefined: a bracket that is not closed. */
function fieldsOf(spec: string): readonly Field[] | undefined {
  const fields: Field[] = [];
  // to ssh a backslash with nothing on either side is nothing
  for (let rest = spec.trimStart(); rest !== '' && rest !== '\\'; ) {
    const [whole, inside, plain] =
      (rest.startsWith('[') ? /^\[([^\]]*)\](?::|$)/ : /^()((?:\\.|[^\\:])*)(?::|$)/s).exec(rest) ?? [];
    if (whole === undefined) return undefined;
    const text = plain?.replace(/\\(.)/gs, '$1') ?? inside ?? '';
    fields.push({ text, is: text.includes('/') ? 'path' : 'name' });
    rest = rest.slice(whole.length);
  }
  return fields;
}

/** Records → what super-servers serve. What has not the expected form is dropped. */
import { baseOf, printable, type Served, type ServedFacts, type SuperServer } from '../model/index.ts';
import { type HostRecord, texts } from './blocks.ts';

/** For screens: what is configured is a few services. */
const MOST_SERVICES = 200;

/** See superservers.sh for the records. */
export function servedFrom(records: readonly HostRecord[]): ServedFacts {
  const told = texts(records, 'served').map((text) => text.split(' ').filter((word) => word !== ''));
  const of = (kind: string) => told.filter(([first]) => first === kind).map(([, ...words]) => words);
  const disabled = new Set(of('disabled').flat());
  const enabled = new Set(of('enabled').flat());

  const inetd = of('inetd').flatMap(([service = '', ...programs]) => one('inetd', service, programs));
  const xinetd = of('xinetd').flatMap(([service = '', id = '', disable = '', ...programs]) => {
    const among = (list: ReadonlySet<string>) => list.has(id) || list.has(service);
    return /^yes$/i.test(disable) || among(disabled) || (enabled.size > 0 && !among(enabled))
      ? []
      : one('xinetd', service, programs);
  });
  const rlinetd = of('rlinetd').flatMap(([service = '', on = '', ...programs]) =>
    /^no$/i.test(on) ? [] : one('rlinetd', service, programs),
  );
  const compatible = of('compat').length > 0 ? inetd.map((each): Served => ({ ...each, by: 'xinetd' })) : [];
  const services = [...inetd, ...xinetd, ...compatible, ...rlinetd];
  return {
    services: services.slice(0, MOST_SERVICES),
    whole: of('whole').length > 0 && services.length <= MOST_SERVICES,
  };
}

/** `127.0.0.1:telnet` is telnet at one address, `rstatd/2-4` some versions of rstatd. */
function one(by: SuperServer, text: string, programs: readonly string[]): Served[] {
  const service = text.replace(/^.*:/, '').replace(/\/.*$/, '');
  if (!/^[A-Za-z0-9_.+-]{1,64}$/.test(service)) return [];
  return [{ by, service, programs: programs.map((program) => printable(baseOf(program), 64)) }];
}

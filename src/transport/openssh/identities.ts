/** What may have kept ssh from using an identity: it says little about that itself. */
import { readFile } from 'node:fs/promises';
import { printable, type Target } from '../../model/index.ts';
import { objection, readCertificate } from '../identities/certificate.ts';
import { readKeyFile } from '../identities/key-file.ts';
import type { OfferedKey } from './log.ts';

/** A phrase for each, safe to print. Never rejects. */
export async function identityRemarks(target: Target, offered: readonly OfferedKey[]): Promise<readonly string[]> {
  const { identityFiles, certificateFiles = [], user } = target;
  const certificates = [...certificateFiles, ...identityFiles.map((file) => `${file}-cert.pub`)];
  const about = await Promise.all([
    ...[...new Set(certificates)].map((file) => ofCertificate(file, user)),
    ...identityFiles.map((file) => ofKey(file, offered)),
  ]);
  return about.filter((remark) => remark !== undefined);
}

async function ofCertificate(file: string, user: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const certificate = readCertificate(text);
  const why = certificate === undefined ? 'it is not a certificate' : objection(certificate, user, Date.now() / 1000);
  return why && `certificate ${printable(file)}: ${why}`;
}

/** ssh offers the public half of an encrypted key, and cannot sign with it unless the agent holds it. */
async function ofKey(file: string, offered: readonly OfferedKey[]): Promise<string | undefined> {
  if (offered.some(({ source, held }) => held && source === printable(file))) return undefined;
  const found = await readKeyFile(file);
  if (found.state === 'unusable' && !found.needsSsh && found.why !== 'no such file')
    return `skipped ${printable(file)}: ${found.why}`;
  if (found.state !== 'locked') return undefined;
  return `${printable(file)}: it is encrypted, and ssh is not asked for passphrases here: add it to the agent`;
}

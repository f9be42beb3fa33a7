import type { Run } from '../../ssh-config/index.ts';

/** The ssh of this machine, as far as it matters here. */
export type SshProgram =
  | { readonly is: 'usable'; readonly path: string; readonly version: Version }
  /** `why` completes "the OpenSSH transport cannot be used: …". */
  | { readonly is: 'unusable'; readonly why: string };

export type Version = readonly [major: number, minor: number];

/** Multiplexing in proxy mode came with 7.4. */
const LEAST: Version = [7, 4];

/** Asks for its version. Never rejects. */
export async function findSsh(path: string, run: Run): Promise<SshProgram> {
  const asked = await run(path, ['-V']).catch((error: NodeJS.ErrnoException) => error);
  if (asked instanceof Error) {
    const missing = (asked as NodeJS.ErrnoException).code === 'ENOENT';
    return { is: 'unusable', why: missing ? `there is no program “${path}” here` : `${path}: ${asked.message}` };
  }
  const [, major, minor] = /OpenSSH(?:_for_Windows)?_(\d+)\.(\d+)/.exec(asked.stderr + asked.stdout) ?? [];
  if (major === undefined) return { is: 'unusable', why: `“${path}” is not OpenSSH` };
  const version: Version = [Number(major), Number(minor)];
  if (isAtLeast(version, LEAST)) return { is: 'usable', path, version };
  return { is: 'unusable', why: `“${path}” is OpenSSH ${version.join('.')}, and ${LEAST.join('.')} is the least` };
}

export function isAtLeast(version: Version, least: Version): boolean {
  return version[0] > least[0] || (version[0] === least[0] && version[1] >= least[1]);
}

import ssh2 from 'ssh2';

/** A new Ed25519 key pair in OpenSSH's form. One in some 256 that ssh2 makes (public keys that begin with a zero) it cannot read itself. */
export function newKeyPair(comment = ''): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

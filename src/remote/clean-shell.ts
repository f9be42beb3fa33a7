/**
 * The shell of the remote program, in an environment of our own: an allow-list, for whatever a start-up file, PAM, sshd or
 * systemd adds could change what systemctl and the tools do or say (SYSTEMD_OFFLINE, POSIXLY_CORRECT, GREP_COLORS, LD_PRELOAD,
 * exported functions). The system's directories come before the account's own PATH, which stays for systems that have their
 * tools elsewhere. Only a simulated host has a root of its own.
 */
export const CLEAN = [
  // which has no -s, so that the program cannot tell
  'if [ -n "$POSH_VERSION" ]; then echo "fleetmask does not run under posh, which is the sh of this host" >&2; exit 1; fi;',
  'if [ -d "$FLEETMASK_ROOT/sim" ]; then shim=$FLEETMASK_ROOT/shim:; else FLEETMASK_ROOT= shim=; fi; exec env -i',
  '"PATH=$shim/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH" "HOME=$HOME"',
  '"SSH_CONNECTION=$SSH_CONNECTION" "SUDO_USER=$SUDO_USER" "DOAS_USER=$DOAS_USER" "FLEETMASK_ROOT=$FLEETMASK_ROOT"',
  'LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER= sh',
].join(' ');

/** Starts such a shell, which reads the program from its standard input; for a shell that has set $privilege and $why. */
export const CLEAN_SHELL = `${CLEAN} -s -- "$privilege" "$why" clean`;

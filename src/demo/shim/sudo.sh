#!/bin/sh
# A simulated `sudo -n COMMAND…`: it lets through where the host has sim/sudoers, and asks for a password elsewhere.
if ! [ -e "$FLEETMASK_ROOT/sim/sudoers" ]; then
  echo 'sudo: a password is required' >&2
  exit 1
fi
while :; do
  case $1 in -*) shift ;; *) break ;; esac
done
exec "$@"

#!/bin/sh
# A simulated `sudo [-n] [-S -p PROMPT] [--] COMMAND…`: it lets through where the host has sim/sudoers. With sim/password it
# asks for what that file has, once; with -n it does not ask.
prompt='Password: ' ask=yes
while :; do
  case $1 in
    -n) ask=no ;;
    -p)
      prompt=$2
      shift
      ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
if [ -e "$FLEETMASK_ROOT/sim/password" ]; then
  if [ "$ask" = no ]; then
    echo 'sudo: a password is required' >&2
    exit 1
  fi
  printf '%s' "$prompt" >&2
  IFS= read -r password || exit 1
  if [ "$password" != "$(cat "$FLEETMASK_ROOT/sim/password")" ]; then
    echo 'sudo: 1 incorrect password attempt' >&2
    exit 1
  fi
elif ! [ -e "$FLEETMASK_ROOT/sim/sudoers" ]; then
  echo 'sudo: a password is required' >&2
  exit 1
fi
exec "$@"

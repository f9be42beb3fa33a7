#!/bin/sh
# What simulated units wrote: sim/journal/UNIT below $FLEETMASK_ROOT, for each -uUNIT.
for word in "$@"; do
  case $word in
    -u*) if [ -r "$FLEETMASK_ROOT/sim/journal/${word#-u}" ]; then tail -n 20 "$FLEETMASK_ROOT/sim/journal/${word#-u}"; fi ;;
  esac
done

#!/bin/sh
# A simulated `id -u`: sim/uid on the host, else root.
uid=0
if [ -r "$FLEETMASK_ROOT/sim/uid" ]; then read -r uid <"$FLEETMASK_ROOT/sim/uid"; fi
echo "$uid"

#!/bin/sh
# Boots a simulated host: boot UNIT…, the units that are to run.
shim=$FLEETMASK_ROOT/shim

# Tools that fleetmask needs and this machine may lack (macOS).
command -v timeout >/dev/null || cp "$shim/spare-timeout" "$shim/timeout"
command -v flock >/dev/null || cp "$shim/spare-flock" "$shim/flock"
stat -c %i / >/dev/null 2>&1 || cp "$shim/spare-stat" "$shim/stat"

"$shim/systemctl" daemon-reload
[ $# -eq 0 ] || exec "$shim/systemctl" start -- "$@"

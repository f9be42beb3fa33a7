# shellcheck shell=sh
# traces.sh: what runs have left on this host, as far as any request looks at it: who is at work, whose receipts and automatic
# rollbacks are here, and whether anything has changed since the probe.

# Tells a link from one that somebody else makes in its place. An inode may be used again at once, so the time of its change
# goes with it, to the nanosecond; busybox leaves all but the second out.
link_identity=%i.%.9Z

# What a plan relies on, without asking systemd once more: that no other run changes the host, and what lies on the disk.
note_seen() {
  state=$root/run/fleetmask
  first_line "$state/changes"
  seen_seq=$seq seen_changes=${value:-0}
  [ $((seen_changes % 2)) = 0 ] || ! { read_holder && is_at_work; } || seen_changes=busy
}

# Into $lying: what lies on disk under the names that were probed, as records of that probe.
see_lying() {
  told=$out told_records=$records told_seq=$seq
  out='' records=0 seq=$seen_seq
  paths $probed
  lying=$out lying_records=$records
  out=$told records=$told_records seq=$told_seq
}

# What root alone can have made: nothing else is believed or sourced.
is_ours() {
  [ -O "$1" ] && ! [ -L "$1" ]
}

# Whether a receipt has a log that can be read, and is a file.
has_log() {
  [ -f "$1/log" ] && [ -r "$1/log" ] && is_ours "$1"
}

read_holder() {
  holder=0 holder_run='' holder_meta='' holder_as=''
  read -r holder holder_run holder_meta holder_as <"$state/lock"
}

# Whether the process that the lock names has it open. If it is ourselves, that name is from an earlier request.
is_at_work() {
  [ "$holder" != $$ ] && [ "/proc/$holder/fd/9" -ef "$state/lock" ]
}

# The text of a switch, whole or not at all: what is damaged could end this shell.
has_switch() {
  [ -f "$receipt/switch" ] && (. "$receipt/switch" && command -v end_switch) >/dev/null 2>&1 </dev/null
}

name_switch() {
  switch=fleetmask-undo-$run
  stamp=$root/var/lib/systemd/timers/stamp-$switch.timer
  switch_dir=/etc/systemd/system
  [ "$where" = etc ] || switch_dir=/run/systemd/system
  unit_file=$root$switch_dir/$switch
}

# shellcheck shell=sh
# receipt.sh: who may change this host, and what of it is whose. A run takes the lock, then its number, which fences off
# whatever of it arrives late; in its receipt is what it was asked, and each link before and after it is touched.

# One changing request at a time, and none that is not newer than the last of its run: then the answer is `refused …`.
begin() {
  changes=
  case $run in
    '' | *[!A-Za-z0-9-]*)
      rec 'refused malformed'
      return 1
      ;;
  esac
  places
  dirs=$state
  [ "$verb" != apply ] || dirs="$state $receipt"
  if ! problem=$(mkdir -p $dirs 2>&1); then
    rec_lines 'refused write' "no receipt in $receipts: $problem"
    return 1
  fi
  for dir in "$state" "$receipts" "$receipt"; do
    if { [ -e "$dir" ] || [ -L "$dir" ]; } && ! is_ours "$dir"; then
      refuse "write $dir is a link, or somebody else's"
      return 1
    fi
  done
  if [ -e "$state/lock" ] && ! [ -f "$state/lock" ]; then
    refuse "write $state/lock is no file"
    return 1
  fi
  # `true`, for a redirection that fails ends the shell when it is one of exec
  if ! { true >>"$state/lock"; } 2>/dev/null; then
    refuse "write cannot write $state/lock"
    return 1
  fi
  exec 9>>"$state/lock"
  said=$(flock -n 9 2>&1)
  status=$?
  # only 1 says that somebody else has it; who has no flock knows of nobody
  case $status in
    0 | 1) ;;
    *)
      refuse "write cannot lock $state/lock: $said"
      return 1
      ;;
  esac
  if [ "$status" = 1 ] && ! get_lock; then
    if is_twin "$holder_run" "$holder_as"; then
      refuse "twin $holder_as"
      return 1
    fi
    since=$(stat -c %Y "$state/lock")
    refuse "locked ${holder_run:--} ${holder_meta:--} $since $(($(date +%s) - ${since:-0}))"
    return 1
  fi
  read_mark
  if is_twin "$run" "$marked_as"; then
    refuse "twin $marked_as"
    return 1
  fi
  first_line "$state/$run.seq"
  if [ "${value:-0}" -ge "$seq" ]; then
    refuse "fenced $value"
    return 1
  fi
  if ! { printf '%s\n' "$$ $run $meta $as" >"$state/lock" && printf '%s\n' "$seq" >"$state/$run.seq"; }; then
    refuse "write cannot write $state"
    return 1
  fi
  if [ "$unmoved" = yes ] && is_moved; then
    refuse moved
    return 1
  fi
  if ! count_change; then
    refuse "write cannot write $state/changes"
    return 1
  fi
}

# How often this host was changed since it booted: odd while somebody is at work. Who reads the same even number twice has seen
# nothing half done in between; who was killed leaves it odd.
count_change() {
  first_line "$state/changes"
  changes=$((${value:-0} + 1 + ${value:-0} % 2))
  { printf '%s\n' "$changes" >"$state/changes"; } 2>/dev/null
}

# The end of a change, and of the lock.
release() {
  [ -z "$changes" ] || printf '%s\n' "$((changes + 1))" >"$state/changes"
  changes=
  exec 9>&-
}

is_moved() {
  first_line "$state/changes"
  [ "${value:-0}" = "$seen_changes" ] || return 0
  see_lying
  [ "$lying" != "$seen_lying" ]
}

# Whoever holds the lock is alive, since no child of the program keeps it. Who has taken it just now has not written its name
# yet. The run's switch ends by itself, and says how; the undo of a run need not wait for the request that it undoes.
# `timeout`, for the flock of busybox has no -w.
get_lock() {
  read_holder
  if ! is_at_work; then
    timeout 1 flock 9 && return 0
    read_holder
  fi
  [ "$holder_run" = "$run" ] || return 1
  ! is_twin "$holder_run" "$holder_as" || return 1
  case $verb:$holder_meta in
    *:actor=switch) timeout 120 flock 9 ;;
    undo:*)
      # it may be over since we were kept out, and its number somebody else's
      if is_at_work; then end_work "$holder" || :; fi
      timeout 10 flock 9
      ;;
    *) return 1 ;;
  esac
}

# is_twin RUN NAME: whether our run has come to this machine under another name than ours: only the session that has that
# name can have written it here. What was done under it is not for us to do again, or to undo.
is_twin() {
  [ "$1" = "$run" ] && [ -n "$2" ] && [ -n "$as" ] && [ "$2" != "$as" ]
}

# The mark of a receipt: `ORDER NAME`, its place among the receipts of this host, and the name that its run has for this host.
# Into $marked_as its name; empty where there is none.
read_mark() {
  marked_as=''
  if [ -r "$receipt/mark" ]; then read -r _ marked_as <"$receipt/mark" || :; fi
}

# After all receipts that are here: clocks of controllers, and this one's, tell no order.
mark() {
  last=0
  set +f
  for other in "$root"/var/lib/fleetmask/*/mark "$root"/run/fleetmask/runs/*/mark; do
    first_line "$other"
    value=${value%% *}
    case $value in
      '' | *[!0-9]* | ??????????*) ;;
      *) [ "$value" -le "$last" ] || last=$value ;;
    esac
  done
  set -f
  { printf '%s\n' "$((last + 1)) $as" >"$receipt/mark"; } 2>/dev/null && return 0
  said="cannot write $receipt/mark"
  return 1
}

# Ends a program that is at work, with what it has begun: a command that has not come to ask systemd yet would do so after
# the undo. Each is stopped when it is found, so that it begins nothing more meanwhile.
end_work() {
  kill -s STOP "$1" || return 1
  family=" $1 "
  set +f
  known=
  while [ "$family" != "$known" ]; do
    known=$family
    for stat in /proc/[0-9]*/stat; do
      first_line "$stat"
      pid=${value%% *}
      # the name in between may be anything
      set -- ${value##*)}
      case $family in
        *" $pid "*) ;;
        *" ${2:-none} "*) kill -s STOP "$pid" && family="$family$pid " ;;
      esac
    done 2>/dev/null
  done
  set -f
  kill -s KILL $family 2>/dev/null || :
}

places() {
  umask 077
  state=$root/run/fleetmask
  receipts=$root/var/lib/fleetmask
  [ "$where" = etc ] || receipts=$state/runs
  receipt=$receipts/$run
}

# Nothing was done; a receipt that says nothing goes.
refuse() {
  rec_lines refused "$1"
  rmdir "$receipt" "$receipts" 2>/dev/null
  release
}

# What the receipt does not say is not done.
note() {
  printf '%s\n' "$*" >>"$receipt/log" || unwritten
}

unwritten() {
  said="cannot write $receipt/log"
  return 1
}

# take PATH: a link is about to go. It may be an earlier run's own, and that run's again when it is back: $receipt says which.
take() {
  stat -c "taking %n $link_identity" "$root$1" >>"$receipt/log" || unwritten
}

# Link $path is back, a new one: whose receipt has the one that was taken learns of it, or could not be undone any more.
hand_back() {
  taken=
  while read -r key named identity; do
    case $key in taking) [ "$named" != "$root$path" ] || taken=$identity ;; esac
  done <"$receipt/log"
  [ -n "$taken" ] || return 0
  set +f
  for other in "$root"/var/lib/fleetmask/*/log "$root"/run/fleetmask/runs/*/log; do
    { has_log "${other%/log}" && [ -w "$other" ]; } || continue
    held=
    while read -r key named identity; do
      case $key in linked) [ "$named" != "$root$path" ] || held=$identity ;; esac
    done <"$other"
    [ "$held" = "$taken" ] || continue
    stat -c "linked %n $link_identity" "$root$path" >>"$other"
    [ ! -r "${other%/log}/switch" ] || beside "${other%/log}" wake
  done
  set -f
}

# Into $ours: what identifies the link that this run made at $path; `unknown` where it did not come to note that.
find_ours() {
  ours=unknown
  while read -r key named identity; do
    case $key in
      not-linked) [ "$named" != "$path" ] || ours=no ;;
      linked) [ "$named" != "$root$path" ] || ours=$identity ;;
    esac
  done <"$receipt/log"
}

# A record that was cut short is no proof that the link is another.
is_foreign() {
  [ "$ours" != unknown ] || return 1
  case $(stat -c $link_identity "$root$path") in "$ours"*) return 1 ;; esac
}

leave_alone() {
  rec "foreign $path"
  failed=yes
}

# replace PATH ASIDE INODE: undoes as much of a displacement as was done. Wherever it was cut off, the file has its own
# name, or the hidden one, or both.
replace() {
  path=$1
  original=$root$2.orig
  [ ! -L "$root$2.new" ] || step "remove:$2.new" rm -f "$root$2.new" || failed=yes
  inode=$(stat -c %i "$original" 2>/dev/null) || return 0
  if [ "$inode" != "${3-$inode}" ]; then
    leave_alone
  elif [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; then
    find_ours
    if is_foreign; then leave_alone; else step "replace:$path" mv -f "$original" "$root$path" || failed=yes; fi
  elif [ "$inode" = "$(stat -c %i "$root$path" 2>/dev/null)" ]; then
    step "remove:$2.orig" rm -f "$original" || failed=yes
  elif [ -e "$root$path" ] || [ -L "$root$path" ]; then
    leave_alone
  else
    step "replace:$path" mv -f "$original" "$root$path" || failed=yes
  fi
}

# shellcheck shell=sh
# undo.sh: puts back what a run changed, from its receipt.

# From the receipt, and only what the receipt says that this run did. The receipt goes when the read-back has proved the undo.
undo() {
  parse "$@"
  begin || return 0
  deed='rolled back'
  has_log "$receipt" || deed='nothing to roll back'
  put_back
  # shellcheck disable=SC2034 # audit.sh reads it
  [ "$failed" = no ] || deed='not rolled back'
  release
}

put_back() {
  failed=no touched='' beside=''
  find_closed
  if has_log "$receipt"; then
    restore_links
    find_touched
    end_started
    patience=90
    step reload ctl daemon-reload || failed=yes
  else
    rec 'receipt none'
  fi
  [ "$verb" = undo ] || spare_held
  [ -z "$deaf" ] || spare_deaf
  unique $reads $starts $touched
  reads=$uniq
  was_failed=$failed
  restore_activity
  if is_unread; then
    # a reload that did nothing, or an earlier undo that could not reload
    patience=90 failed=$was_failed
    step reload ctl daemon-reload || failed=yes
    restore_activity
  fi
  tell_look
  prove
  prove_log
  tell_beside
  if [ "$verb" = fire ]; then
    check_log
  elif [ -e "$receipt/switch" ]; then
    # what a damaged log does not tell stays, and its automatic rollback must stay with it
    beside "$receipt" has_whole_log || lack "$receipt/log"
  fi
  if [ "$verb" = fire ] && [ "$failed" = no ]; then end_switch "$why"; fi
  [ "$failed" = yes ] || disarm spent
  if [ "$failed" = no ]; then
    said=$(rm -rf "$receipt" 2>&1)
    [ ! -e "$receipt" ] || rec_lines kept "${receipt#"$root"} ${said:-stays}"
    rmdir "$receipts" 2>/dev/null
    # Fences hold as long as a request of theirs may still lie unread somewhere: a program that hangs for a week is dead.
    find "$state" -maxdepth 1 '(' -name '*.seq' -o -name '*.ended' ')' -mtime +7 -exec rm -f {} +
  fi
}

# A socket that was masked while it listened was closed, and active in name ($deaf). It is started for that name where its mask
# closes it again; where a boot or somebody else has removed that mask, the start would open what was closed.
spare_deaf() {
  for socket in $deaf; do
    is_masked_on_disk "$socket" && continue
    omit $starts
    starts=$kept
    omit $closed
    closed=$kept
  done
}

# omit NAME…: into $kept, those that are not $socket.
omit() {
  kept=
  for name in "$@"; do
    [ "$name" = "$socket" ] || kept="$kept $name"
  done
}

restore_activity() {
  start_time "$stop_timeout"
  patience=$stop_timeout
  # a client may have it started again at once: whether that is a fault is judged by who can start it
  if [ -n "$halts" ]; then step halt ctl stop -- $halts || was_cancelled || failed=yes; fi
  [ -z "$closed" ] || stop_closed
  if [ -n "$starts" ]; then start_again $starts || failed=yes; fi
  [ -z "$queues" ] || queue_again || failed=yes
  [ -z "$reloads" ] || step queue-reload ctl reload --no-block -- $reloads
  look
}

# What waited for its turn to be started waits again, unless it runs by now.
queue_again() {
  find_idle $queues
  [ -z "$broken" ] || step reset-failed ctl reset-failed -- $broken
  [ -z "$idle" ] || step queue ctl start --no-block -- $idle
}

# Into $touched: the units under whose names the run made or removed something, as systemd shows them.
find_touched() {
  while read -r what path _; do
    case $what in
      linking | displacing | removing)
        name=${path##*/}
        # a template is shown through an instance that nobody uses
        case $name in *@.*) name=${name%%@.*}@fleetmask-witness.${name##*@.} ;; esac
        touched="$touched $name"
        ;;
    esac
  done <"$receipt/log"
}

# Whether systemd still holds units masked of which the disk has no mask any more. Without an answer nobody knows.
is_unread() {
  for name in $masked; do
    is_masked_on_disk "$name" || return 0
  done
  return 1
}

# By the entry of the highest rank under its name, or else under that of its template.
is_masked_on_disk() {
  for dir in $unit_dirs; do
    path=$root$dir/$1
    if [ -L "$path" ] || [ -e "$path" ]; then
      [ "$path" -ef /dev/null ] || { [ -f "$path" ] && ! [ -s "$path" ]; }
      return
    fi
  done
  case $1 in
    *@.*) return 1 ;;
    *@*.*) is_masked_on_disk "${1%%@*}@.${1##*.}" ;;
    *) return 1 ;;
  esac
}

# Exit codes prove nothing: a systemctl that takes this for a chroot ignores what it is asked, and succeeds. So what was to
# be started runs, or was still starting before, too, and does not merely wait to be tried once more (Restart=); and of each name that the run touched systemd shows what lies on the disk.
prove() {
  unstarted=''
  for name in $starts; do
    case $pending in *" $name "*) continue ;; esac
    case $looping in *" $name "*) ;; *) case $running in *" $name "*) continue ;; esac ;; esac
    lack "$name"
    unstarted="$unstarted $name"
  done
  [ -z "$unstarted" ] || tell_journal '' $unstarted
  for name in $touched; do
    case "$names " in
      *" $name "*)
        case $masked in *" $name "*) is_masked_on_disk "$name" || lack "$name" ;; esac
        ;;
      *) lack "$name" ;;
    esac
  done
}

# What the request says that this run did, and the log does not know of, while it is in effect: somebody has emptied or cut off the
# log, so the receipt cannot undo it, and must not go as if it had.
prove_log() {
  [ -d "$receipt" ] || return 0
  for path in $links $displaces; do
    ! [ "$root$path" -ef /dev/null ] || logged || lack "$path"
  done
  for path in $removes; do
    [ -L "$root$path" ] || logged || lack "$path"
  done
}

# Whether the log knows of $path.
logged() {
  has_log "$receipt" || return 1
  while read -r _ named _; do
    [ "$named" != "$path" ] || return 0
  done <"$receipt/log"
  return 1
}

lack() {
  rec "lacking $1"
  failed=yes
}

restore_links() {
  while read -r what path text; do
    case $what in
      linking) restore_absence ;;
      displacing) replace "$path" $text ;;
      removing) relink ;;
      lifting) ! is_lifted || relink ;;
      # another run was to start it, and our mask is in its way
      inherited) case " $starts " in *" $path "*) ;; *) starts="$starts $path" reads="$reads $path" ;; esac ;;
    esac
  done <"$receipt/log"
}

relink() {
  [ ! -L "$root$path" ] || return 0
  if step "relink:$path" ln -s "$text" "$root$path"; then hand_back; else failed=yes; fi
}

# A mask that was lifted and is back is not ours to put back once more, should somebody take it away.
is_lifted() {
  off=no
  while read -r key named _; do
    [ "$named" = "$path" ] || continue
    case $key in
      lifting) off=yes ;;
      lowered) off=no ;;
    esac
  done <"$receipt/log"
  [ "$off" = yes ]
}

restore_absence() {
  { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || return 0
  find_ours
  [ "$ours" != no ] || return 0
  if is_foreign; then leave_alone; else step "unlink:$path" rm -f "$root$path" || failed=yes; fi
}

# A socket that was active when systemd read a mask of it is closed, and active in name. It is to be started anew, like one
# that was stopped.
find_closed() {
  closed='' sockets=''
  for name in $starts; do
    case $name in *.socket) sockets="$sockets $name" ;; esac
  done
  [ -n "$sockets" ] || return 0
  show_sockets $sockets
  for name in $sockets; do
    case "$running/$masked" in
      *" $name "*/*" $name "*) ;;
      *" $name "*/*) continue ;;
    esac
    closed="$closed $name"
  done
}

# No socket starts beside the service that it is to start, so that one is stopped first. A mask from before the run stays.
stop_closed() {
  show_sockets $closed
  sockets=
  for name in $closed; do
    case $masked in *" $name "*) ;; *) sockets="$sockets $name" ;; esac
  done
  # what somebody else has masked does not open
  [ -n "$sockets" ] || return 1
  both="$sockets $woken"
  show_sockets $both
  sockets=
  for name in $both; do
    case $running in *" $name "*) sockets="$sockets $name" ;; esac
  done
  [ -z "$sockets" ] || step stop-closed ctl stop -- $sockets || was_cancelled || failed=yes
}

show_sockets() {
  told=$out told_records=$records
  show socket -pId -pLoadState -pActiveState -pTriggers -pAccept -- "$@"
  out=$told records=$told_records
}

# What ran before and does not run now. A failed socket or timer must be reset first. What was still starting then need not
# come further now: it is started last, and nobody waits for it long. How the others end is read, not taken from the exit status.
start_again() {
  find_idle "$@"
  [ -z "$broken" ] || step reset-failed ctl reset-failed -- $broken
  [ -n "$idle" ] || return 0
  lift
  at_once='' slowly=''
  for name in $idle; do
    case $pending in *" $name "*) slowly="$slowly $name" ;; *) at_once="$at_once $name" ;; esac
  done
  started=0 cancelled=no
  if [ -n "$at_once" ]; then step start ctl start -- $at_once || note_unstarted; fi
  if [ -n "$slowly" ]; then
    patience=5
    step start-slowly ctl start -- $slowly || note_unstarted
    patience=$stop_timeout
  fi
  if [ "$started" != 0 ]; then
    find_idle "$@"
    tries=0
    while [ -n "$idle" ] && [ "$tries" -lt 3 ] && has_time && may_start_now; do
      tries=$((tries + 1)) cancelled=no
      [ -z "$broken" ] || step reset-failed ctl reset-failed -- $broken
      step start ctl start -- $idle || note_unstarted
      find_idle "$@"
    done
    [ -n "$idle" ] || started=0
  fi
  if [ -n "$lifted" ]; then
    restore_links
    for path in $lifted; do
      [ ! -L "$root$path" ] || note "lowered $path"
    done
    step reload ctl daemon-reload || failed=yes
  fi
  return "$started"
}

note_unstarted() {
  started=1
  ! was_cancelled || cancelled=yes
}

# Whether what does not run yet has a better chance now. A start that somebody else's stop took the place of is asked for again.
# So is that of a socket, once the service that a client had started before it is stopped. And what was stopped and started again
# and again (StartLimitBurst=, TriggerLimitBurst=) is refused a start, though it would run: that count is no more than a memory of
# runs like this one, and of clients. It may stop something, so whoever asks has the time to start that again.
may_start_now() {
  closed=''
  for name in $idle; do
    case $name in *.socket) closed="$closed $name" ;; esac
  done
  # what ran beside a socket that was masked before the run, nobody knew then: it is not ours to stop
  if [ -n "$closed" ] && [ -z "$lifted" ] && stop_closed; then
    find_idle $starts
    return 0
  fi
  [ "$cancelled" = no ] || return 0
  [ -n "$broken" ] || return 1
  query_units -pResult -- $broken || return 1
  case $said in *-limit-hit*) return 0 ;; *) return 1 ;; esac
}

# A unit that ran under a mask cannot start again under it: masks from before the run are off for as long as the start
# takes. The receipt has it first, so that an undo after a power cut puts them back.
lift() {
  lifted=
  { has_log "$receipt" && [ -w "$receipt/log" ]; } || return 0
  for path in $lifts; do
    { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || continue
    note "lifting $path $(readlink "$root$path")" && take "$path" || return 0
    step "lift:$path" rm -f "$root$path" && lifted="$lifted $path"
  done
  [ -z "$lifted" ] || step reload ctl daemon-reload
}

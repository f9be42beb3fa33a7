# shellcheck shell=sh
# read-back.sh: what a change, an undo or a decision reads back when it is done.

# Reads everything back. What an earlier look saw is dropped: only the last one is evidence.
look() {
  patience=30
  [ -n "$reads" ] || return 0
  told=$out
  told_records=$records
  out='' records=0
  show unit $unit_properties -- $reads
  # what systemd does not tell of lies there all the same
  unique $names $reads $looks
  paths $uniq
  seen_by_look=$out
  seen_records=$records
  out=$told
  records=$told_records
}

tell_look() {
  out=$out$seen_by_look
  records=$((records + seen_records))
}

# tell_journal MORE UNIT…: what each of the first three wrote since the time was started, and systemd about it, at most 20 lines
# of 4 KiB: `logged UNIT LINE`. Only asked when something failed, so that nobody has to log in to see why.
tell_journal() {
  [ -z "$root" ] || [ -x "$root/shim/journalctl" ] || return 0
  more=$1
  shift
  has_time
  since_then=$((allowed - patience + 1))
  asked=0
  for name in "$@"; do
    asked=$((asked + 1))
    [ "$asked" -le 3 ] || return 0
    said=$(exec 2>/dev/null </dev/null 3>&- 9>&-
      $within_time 5 journalctl -q --no-pager -b "-S-${since_then}s" -n20 -oshort "-u$name" $more | head -c 4096)
    [ -z "$said" ] || rec_lines "logged $name" "$said"
  done
}

# Whether the last step was told that somebody else's job took the place of its own.
was_cancelled() {
  [ "${said#* canceled.}" != "$said" ]
}

# Into $idle: which of these neither run nor start, as far as systemd says; into $broken, those that failed.
find_idle() {
  idle='' broken=''
  query ctl show -pActiveState -- "$@"
  rest=$said$nl$nl
  for name in "$@"; do
    case ${rest%%"$nl"*} in
      ActiveState=active | ActiveState=activating | ActiveState=reloading | ActiveState=refreshing) ;;
      ActiveState=failed) broken="$broken $name" idle="$idle $name" ;;
      *) idle="$idle $name" ;;
    esac
    rest=${rest#*"$nl$nl"}
  done
}

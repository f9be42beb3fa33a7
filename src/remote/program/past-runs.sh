# shellcheck shell=sh
# past-runs.sh: the receipts of runs, and how their automatic rollbacks stand. Sent with a probe that asks for receipts.

# What runs have left here to be undone by: `log RUN LINE`; `fence RUN SEQ`, the last of its requests that was taken;
# `holds RUN PATH` for a link that is still this run's own; `mark RUN ORDER NAME`; and of the run of which that is asked, what it
# answered: `told RUN KIND TEXT`. One process, however many receipts there are.
tell_receipts() {
  linked='' ours=' ' told_of=' '
  set +f
  for receipt in "$root"/var/lib/fleetmask/* "$root"/run/fleetmask/runs/*; do
    owner=${receipt##*/}
    has_log "$receipt" || continue
    case $receipts_of in all | "$owner") ;; *) continue ;; esac
    first_line "$root/run/fleetmask/$owner.seq"
    [ -z "$value" ] || rec "fence $owner $value"
    first_line "$receipt/mark"
    [ -z "$value" ] || rec "mark $owner $value"
    while read -r key named identity; do
      rec "log $owner $key $named $identity"
      if [ "$key" = linked ] && [ "$named" -ef /dev/null ]; then
        # a link that was made anew at once may have the inode that it had
        case $ours in *" $owner:$named=$identity "*) ;; *) ours="$ours$owner:$named=$identity " ;; esac
        linked="$linked $named"
      fi
    done <"$receipt/log"
    if [ "$owner" = "$result_of" ] && [ -f "$receipt/result" ] && [ -r "$receipt/result" ]; then
      while read -r _ _ line; do rec "told $owner $line"; done <"$receipt/result"
    fi
    [ ! -e "$receipt/switch" ] || tell_switch_of "$owner"
    told_of="$told_of$owner "
  done
  for unit in "$root"/etc/systemd/system/fleetmask-undo-*.timer "$root"/run/systemd/system/fleetmask-undo-*.timer; do
    owner=${unit##*/fleetmask-undo-}
    owner=${owner%.timer}
    [ -e "$unit" ] || continue
    case $receipts_of in all | "$owner") ;; *) continue ;; esac
    case $told_of in *" $owner "*) continue ;; esac
    # its receipt is gone, or cannot be read
    if [ -e "$root/var/lib/fleetmask/$owner" ] || [ -e "$root/run/fleetmask/runs/$owner" ]; then
      rec "switch $owner unreadable ? -"
    else
      rec "switch $owner lost ? -"
    fi
  done
  for ended in "$root"/run/fleetmask/*.ended; do
    owner=${ended##*/}
    owner=${owner%.ended}
    [ -r "$ended" ] || continue
    case $receipts_of in all | "$owner") first_line "$ended" && rec "ended $owner $value" ;; esac
  done
  set -f
  unique $linked
  [ -z "$linked" ] || for named in $(stat -c %n=$link_identity $uniq); do
    rest=$ours
    while :; do
      case $rest in *":$named "*) ;; *) break ;; esac
      owner=${rest%%":$named "*}
      rest=${rest#*":$named "}
      path=${named%=*}
      rec "holds ${owner##* } ${path#"$root"}"
    done
  done
}

tell_switch_of() {
  run=$1 where=etc
  case $receipt in "$root"/run/*) where=run ;; esac
  set -f
  if has_switch; then
    # shellcheck source=src/remote/program/switch.sh
    . "$receipt/switch" && tell_switch
  else
    rec "switch $run unreadable ? -"
  fi
  set +f
}

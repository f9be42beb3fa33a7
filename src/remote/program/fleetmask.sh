#!/bin/sh
# fleetmask.sh: the frame of the remote program. The other parts are functions that it calls:
#
#   shells.sh    which shells take this program for something else; sent before all the rest
#   units.sh     what is read of units
#   read-back.sh   the same after a change
#   probe.sh     what this host is and has
#   past-runs.sh   what runs have left here to be undone by
#   ways.sh      what could run the same past a mask
#   guard.sh     what a mask must not cut
#   uses.sh      what the host makes use of, where a mask is of units that are vital on some hosts
#   superservers.sh  what inetd and its like serve; where one of them is among the names asked
#   members.sh   what runs beside the units that were named
#   traces.sh    who is at work here, and what of runs is here, as far as all must know it
#   receipt.sh   lock, fence and receipt: who may change the host, and what of it is whose
#   switches.sh  the switches that runs have stored here
#   apply.sh     a change, and its proof
#   starts.sh    what was started while units were stopped
#   undo.sh      the way back
#   audit.sh     a line in the host's own journal for each of those
#   switch.sh    how a host puts a run back by itself; stored for a switch alone, with a program of its own
#
# They are sent on the stdin of `sh -s -- PRIVILEGE [WHY]`, comments and indentation stripped: with the first request what a
# probe needs, with each later one what it needs besides (program-source.ts). A request is a group in braces: the parts, and
# after them one line that calls `main NONCE` or `next NONCE`. No shell does anything of a group before it has read its end,
# so what arrives truncated does nothing; and a request must end in the word `end`. The shell itself reads from one group to
# the next; bash, which would read a pipe byte by byte, is told to take a long one by `head -c`.
#
# It reports; it does not decide. What is to be done is in the request; what was done and what was then read goes
# back as records `@NONCE SEQ KIND TEXT`, one line each, collected and written at once.
# dash, bash and busybox sh run it. FLEETMASK_ROOT is set by the embedded fleet and by tests only.

privilege=${1-none}
refusal=${2-}
clean=${3-}
root=${FLEETMASK_ROOT-}
[ -d "$root/sim" ] || root=
# shellcheck disable=SC1003 # a backslash, nothing else
bs='\'
nl='
'

# Every systemctl is bounded in time, speaks English, asks nothing, pages nothing, and neither hears our stdin (fd 0) nor
# keeps our lock (fd 9) or our answers' way out (fd 3), for it may outlive us. Only ever called in $(…), whose process it
# takes over.
ctl() {
  exec $within_time "$patience" systemctl --no-pager --no-ask-password "$@" </dev/null 3>&- 9>&-
}

rec() {
  records=$((records + 1))
  out="$out@$nonce $seq $*$nl"
}

# A record for each line of a text, so that no value can break the frame.
rec_lines() {
  rest=$2$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    # the loader warns each program of a broken /etc/ld.so.preload
    case $line in 'ERROR: ld.so: '*' cannot be preloaded'*) ;; *) rec "$1 $line" ;; esac
  done
}

# ask COMMAND…: runs it; into $said what it says on both ways out, into $status how it ends.
ask() {
  while :; do
    said=$("$@" 2>&1)
    status=$?
    if [ "$status" = 0 ] || ! will_pass || ! wait_for_systemd; then break; fi
  done
  return "$status"
}

# query COMMAND…: the same, for what is read line by line: into $said comes its stdout alone, for anything may warn on stderr
# (the loader, of a broken /etc/ld.so.preload). It changes nothing, so where it fails it is run once more, for the reason. Half
# an answer is none.
query() {
  while :; do
    said=$("$@" 2>/dev/null)
    status=$?
    case $status in
      0) break ;;
      124 | 137 | 143)
        said=
        break
        ;;
    esac
    # who succeeds now may have failed for what has passed
    if ! said=$("$@" 2>&1 >/dev/null) && ! will_pass; then break; fi
    wait_for_systemd || break
  done
  return "$status"
}

# Whether what a command $said is a failure that passes. While systemd executes itself anew it hangs up, and then does not
# listen for a moment; and more reloads in a time than ReloadLimitBurst= allows it refuses.
will_pass() {
  case $privilege:$said in
    none:*) return 1 ;;
    *'Connection refused'* | *'Connection reset'* | *'onnection terminated'* | *'not connected'* | *'recipient disconnected'*) ;;
    *'due to rate limit'*) ;;
    *) return 1 ;;
  esac
}

# At most ten times in a request. A rollback, or a try of an automatic one, uses the time that it has (150 s, and each turn takes
# up to two calls), for giving up strands the host.
wait_for_systemd() {
  case $verb in undo | fire) turns=60 ;; *) turns=10 ;; esac
  [ "$unheard" -lt "$turns" ] || return 1
  unheard=$((unheard + 1))
  sleep 1
}

# step NAME COMMAND…: runs it and records its exit status and what it said.
step() {
  step_name=$1
  shift
  ask "$@"
  rec "step $step_name $status"
  [ -z "$said" ] || rec_lines "said $step_name" "$said"
  return "$status"
}

# Into $value, without a process. Only of a file, for whoever opens a FIFO waits.
first_line() {
  value=
  if [ -f "$1" ] && [ -r "$1" ]; then IFS= read -r value <"$1" || :; fi
}

# start_time SECONDS: from now on; has_time then gives $patience what is left of them, for a wait of its own. The kernel's clock
# costs no process; without one each wait has all of the time.
start_time() {
  allowed=$1
  first_line "$root/proc/uptime"
  since=${value%%.*}
}

has_time() {
  first_line "$root/proc/uptime"
  value=${value%%.*}
  patience=$((allowed + ${since:-0} - ${value:-0}))
  [ "$patience" -gt 0 ]
}

read_boot() {
  first_line "$root/proc/sys/kernel/random/boot_id"
}

# Names that come back from systemd go into paths and command lines: only its own alphabet passes.
is_unit_name() {
  case $1 in
    '' | -* | .* | *[!A-Za-z0-9:_.@"$bs"-]*) return 1 ;;
    *.*) return 0 ;;
    *) return 1 ;;
  esac
}

unique() {
  uniq=' '
  for name in "$@"; do
    case $uniq in *" $name "*) ;; *) uniq="$uniq$name " ;; esac
  done
}

# A changing request, read into lists.
parse() {
  run='' as='' where=etc stop_timeout=60 kill=no meta=- wanted='' links='' removes='' displaces='' stops='' reads='' looks='' attempts='' groups=''
  starts='' pending='' deaf='' queues='' reloads='' halts='' downs='' lifts='' clock='' receipts_of='' result_of='' triggers='' guard='' ways='' superservers='' members='' uses=''
  unmoved=no program='' switch_text='' confirming=no new_expires=''
  for word in "$@"; do
    text=${word#*=}
    case $word in
      name=*) wanted="$wanted $text" ;;
      clock=*) clock=$text ;;
      guard=*) guard=$text ;;
      receipts=*) receipts_of=$text ;;
      result=*) result_of=$text ;;
      triggers=*) triggers=$text ;;
      ways=*) ways=$text ;;
      uses=*) uses=$text ;;
      superservers=*) superservers=$text ;;
      members=*) members=$text ;;
      run=*) run=$text ;;
      as=*) as=$text ;;
      where=*) where=$text ;;
      stop-timeout=*) stop_timeout=$text ;;
      kill=*) kill=$text ;;
      meta=*) meta=$text ;;
      link=*) links="$links $text" ;;
      remove=*) removes="$removes $text" ;;
      displace=*) displaces="$displaces $text" ;;
      stop=*) stops="$stops $text" ;;
      look=*) looks="$looks $text" ;;
      read=*) reads="$reads $text" ;;
      try=*) attempts="$attempts $text" ;;
      group=*) groups="$groups $text" ;;
      start=*) starts="$starts $text" ;;
      pending=*) pending="$pending $text " ;;
      deaf=*) deaf="$deaf $text" ;;
      queue=*) queues="$queues $text" ;;
      reload=*) reloads="$reloads $text" ;;
      halt=*) halts="$halts $text" ;;
      down=*) downs="$downs $text" ;;
      lift=*) lifts="$lifts $text" ;;
      unmoved=*) unmoved=$text ;;
      program=*) program=$text ;;
      switch=*) switch_text=$text ;;
      confirm=*) confirming=$text ;;
      expires=*) new_expires=$text ;;
    esac
  done
}

# What a request begins with, and a try of a switch.
begin_anew() {
  out='' records=0 keep='' seen_by_look='' seen_records=0 deed=''
  patience=30 unheard=0
}

# serve SEQ VERB WORD… end
serve() {
  last=
  for last in "$@"; do :; done
  [ "$last" = end ] || return 0
  seq=$1
  verb=$2
  shift 2
  begin_anew
  case $verb in
    probe) parse "$@" && probe ;;
    apply) apply "$@" ;;
    undo) undo "$@" ;;
    keep) keep "$@" ;;
    *) rec 'refused malformed' ;;
  esac
  rec "done $((records + 1))" # counts itself: an answer that lost a line is no answer
  [ -z "$keep" ] || printf '%s' "$out" >"$keep"
  printf '%s' "$out" >&3
  [ -z "$deed" ] || audit
}

# Where sudo, doas or systemd started us, with what PAM and settings add: all goes that is not known to be harmless. A line of a
# value that looks like a variable may go with it.
clean_environment() {
  rest=$(export -p)$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    line=${line#*' '}
    line=${line#'-x '}
    case ${line%%=*} in
      # bash lets nobody unset its own
      '' | [0-9]* | *[!A-Za-z0-9_]* | SHELLOPTS | BASHOPTS | UID | EUID | PPID) ;;
      PATH | HOME | SSH_CONNECTION | SUDO_USER | DOAS_USER | FLEETMASK_ROOT) ;;
      *) unset "${line%%=*}" ;;
    esac
  done
}

prepare() {
  # What was begun is finished also when the connection drops; the answer is then in the receipt.
  trap '' HUP PIPE
  exec 3>&1 >/dev/null
  set -f
  cd / || exit 1
  umask 022
  ancestors=
  [ -n "$clean" ] || clean_environment
  LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER=
  PATH=${root:+$root/shim:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  export LC_ALL SYSTEMD_COLORS SYSTEMD_PAGER PATH
  find_timeout
}

# Into $within_time: `timeout`, with a last resort for who ignores SIGTERM. That of busybox has none before 1.34, and a shell that is
# busybox takes its own. Costs no process.
find_timeout() {
  within_time='timeout -s KILL'
  found='' dirs=$PATH:
  while [ -n "$dirs" ]; do
    dir=${dirs%%:*} dirs=${dirs#*:}
    [ -n "$found" ] || ! [ -x "$dir/timeout" ] || found=$dir/timeout
    if [ "$found" -ef "$dir/busybox" ] || [ "/proc/$$/exe" -ef "$dir/busybox" ]; then return 0; fi
  done
  within_time='timeout -k 5'
}

# main NONCE REQUEST…: the first one.
main() {
  nonce=$1
  shift
  prepare
  # whoever writes a line in the log meanwhile
  trap wait EXIT
  serve "$@"
}

# next NONCE REQUEST…
next() {
  [ "$1" = "$nonce" ] || return 0
  shift
  serve "$@"
}

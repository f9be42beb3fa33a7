# shellcheck shell=sh
# audit.sh: who changed this host, in its own journal and syslog, under the tag fleetmask: one line for each change, each decision
# about one, and each rollback, also the automatic one. It is sent when the answer is out, so that nobody waits for it.

# What was done is in $deed, who asked for it and why in $meta. Nothing that anybody wrote can end the line or a value: it stays
# percent-encoded but for a few harmless characters, and is cut before that.
audit() {
  [ -n "$deed" ] || return 0
  [ -z "$root" ] || [ -x "$root/shim/logger" ] || return 0
  command='' actor='' ticket='' reason=''
  rest=$meta\&
  while [ -n "$rest" ]; do
    text=${rest%%"&"*}
    rest=${rest#*"&"}
    key=${text%%=*}
    text=${text#*=}
    cut_text 300
    decode_text
    case $key in
      command) command=$text ;;
      actor) actor=$text ;;
      ticket) ticket=$text ;;
      reason) reason=$text ;;
    esac
  done
  case $verb in
    fire) command='automatic rollback' ;;
    undo) command=rollback ;;
  esac
  text=${reads# }
  text=${text% }
  cut_text 200
  line="run=$run did=\"$command\" outcome=\"$deed\" actor=\"$actor\" units=\"$text\" ticket=\"$ticket\" reason=\"$reason\""
  # In the background: a journal that hangs holds up nothing but the end of the program.
  leave_line </dev/null >/dev/null 2>&1 3>&- 9>&- &
}

leave_line() {
  if [ -n "$root" ] || [ -S /dev/log ]; then logger -t fleetmask -p authpriv.notice "$line" && return 0; fi
  [ -n "$root" ] || systemd-cat -t fleetmask -p notice echo "$line"
}

# cut_text LENGTH
cut_text() {
  [ "${#text}" -le "$1" ] || text=$(printf "%.$1s" "$text")...
}

decode_text() {
  while :; do
    case $text in
      *%20*) text="${text%%"%20"*} ${text#*"%20"}" ;;
      *%2C*) text=${text%%"%2C"*},${text#*"%2C"} ;;
      *%2F*) text=${text%%"%2F"*}/${text#*"%2F"} ;;
      *%3A*) text=${text%%"%3A"*}:${text#*"%3A"} ;;
      *%40*) text=${text%%"%40"*}@${text#*"%40"} ;;
      *) return 0 ;;
    esac
  done
}

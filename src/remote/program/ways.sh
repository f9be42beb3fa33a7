# shellcheck shell=sh
# ways.sh: what could run the same past a mask. Sent with a probe that asks for it.

# What could run the same past a mask: an init script of the unit's name; unit files and D-Bus services, which one grep looks
# for. Of a file with a line that speaks of the unit all such lines are told: `found PATH KEY=VALUE`.
tell_ways() {
  set -- -e SystemdService=
  for name in $bus_names; do set -- "$@" -e "Name=$name"; done
  for name in $programs; do
    # interpreters, and what any script may call, say nothing of a unit
    case ${name##*/} in
      sh | bash | dash | ksh | env | perl* | python* | ruby* | node | java | php* | busybox | true | false | sleep | cat | echo | rm | mkdir) ;;
      *) set -- "$@" -e "${name#/usr}" ;;
    esac
  done
  places=
  for name in $shown; do
    path=$root/etc/init.d/${name%.service}
    if [ -x "$path" ] && [ ! -d "$path" ]; then
      places="$places $path"
      rec "script ${path#"$root"}"
    fi
  done
  [ -z "$places" ] || set -- "$@" -e /init-functions -e /init.d/functions
  scripts=$places
  find_unit_places $bus_dirs
  places="$scripts $places"
  hits=$(grep -rsHF "$@" -- $places </dev/null)
  telling=' '
  each_hit note_telling
  each_hit tell_hit
}

note_telling() {
  case $line in
    SystemdService=*) case " $shown $aliases " in *" ${line#*=} "*) ;; *) return 0 ;; esac ;;
    Name=* | Exec=* | ExecStart=* | *init*functions*) ;;
    *) return 0 ;;
  esac
  # a copy that is masked is no way
  for dir in /etc/systemd/system /run/systemd/system; do
    if [ "$root$dir/${path##*/}" -ef /dev/null ]; then return 0; fi
  done
  telling="$telling$path "
}

tell_hit() {
  case $telling in *" $path "*) ;; *) return 0 ;; esac
  case $line in
    SystemdService=* | Name=* | Exec=* | ExecStart=*) rec "found ${path#"$root"} ${line%%[[:space:]]*}" ;;
    *init*functions*) rec "found ${path#"$root"} functions" ;;
  esac
}

# shellcheck shell=sh
# units.sh: what systemd and the directories of unit files say of units, to a probe and when a change is read back.

unit_dirs='/etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early
/etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system
/usr/lib/systemd/system /lib/systemd/system /run/systemd/generator.late'

unit_properties='-pId -pNames -pLoadState -pActiveState -pSubState -pResult -pUnitFileState -pFragmentPath -pSourcePath -pDropInPaths
-pCanStart -pJob -pNeedDaemonReload -pRefuseManualStop -pMainPID -pControlGroup -pKillMode -pTransient -pPerpetual
-pTimeoutStopUSec -pTimeoutUSec -pBusName -pTriggeredBy -pTriggers -pAccept -pTimersMonotonic -pRequiredBy -pRequisiteOf -pBoundBy -pConsistsOf -pPropagatesStopTo
-pOnSuccess -pOnFailure'

# query_units PROPERTIES… -- NAMES…: into $said what systemd shows of units. Systemd 231 and 232 end their answer behind the first unit
# that lacks one of the properties, and fail without a word: there each type of unit is asked for what it has.
query_units() {
  query ctl show "$@" && return
  [ "$status$said" = 1 ] || return
  asked='' types='' whole=''
  while [ "$1" != -- ]; do asked="$asked $1" && shift; done
  shift
  for name in "$@"; do types="$types ${name##*.}"; done
  unique $types
  for type in $uniq; do
    words=
    for property in $asked; do
      if type_has "${property#-p}"; then words="$words $property"; fi
    done
    words="$words --"
    for name in "$@"; do [ "${name##*.}" != "$type" ] || words="$words $name"; done
    query ctl show $words || return
    whole=$whole${said:+$said$nl$nl}
  done
  said=$whole
}

# Whether units of $type have a property there. What came later no unit has.
type_has() {
  case $1 in
    Propa* | StopP* | OnSuccess | Perp*) has='' ;;
    MainPID | BusName | Type | Remain* | ExecStart) has=service ;;
    Accept | Listen) has=socket ;;
    Timers* | NextE*) has=timer ;;
    TimeoutS*) has='service scope' ;;
    TimeoutU*) has='socket mount swap' ;;
    KillMode | ControlGroup) has='service socket mount swap scope' ;;
    Result) has='service socket mount swap scope timer path automount' ;;
    *) return 0 ;;
  esac
  case " $has " in *" $type "*) ;; *) return 1 ;; esac
}

# show KIND PROPERTIES… -- NAMES…: records `KIND key=value`, empty values left out, a bare `KIND` after each unit.
# For the caller: all $names, all $relations, all $wakers, what systemd has read as $masked, what is $running or has failed ($fallen),
# and what sockets ($woken) would start. With $shape_properties: the names of all that runs nothing
# itself ($wrappers), and what stops with that, or with what is masked ($parts); see members.sh. Of jobs a record `job UNIT TYPE`. From all calls together: what listening sockets have $triggered, the $main_pids, and the
# $handlers that the end of a unit starts: `well/ID/HANDLER` (OnSuccess=), `badly/ID/HANDLER` (OnFailure=).
show() {
  show_kind=$1
  shift
  query_units "$@" || rec "trouble $show_kind $status"
  names='' relations='' wakers='' woken='' masked=' ' running=' ' looping=' ' fallen=' '
  id='' load='' active='' accept='' wakes='' changed=no called='' drop_ins='' job='' waiting='' sub='' kind='' stays='' with='' well='' badly=''
  rest=$said$nl$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    # in a list, names with a backslash are quoted
    case $line in *'"'*) unquote ;; esac
    # before 234 systemd writes out the backslash of a name
    case $line:$* in *"${bs}x5cx"*:*x5c*) ;; *"${bs}x5cx"*) unescape ;; esac
    case $line in
      '')
        [ "$show_kind $load $changed" != 'unit loaded no' ] || ! has_new_drop_in || rec 'unit NeedDaemonReload=yes'
        [ -z "$id" ] || rec "$show_kind"
        for name in $well; do handlers="$handlers well/$id/$name"; done
        for name in $badly; do handlers="$handlers badly/$id/$name"; done
        [ -z "$job" ] || waiting="$waiting $id"
        [ "$load" != masked ] || masked="$masked$id "
        case $active in
          failed) fallen="$fallen$id " ;;
          inactive | '') ;;
          *)
            running="$running$id "
            case $sub in auto-restart*) looping="$looping$id " ;; esac
            ;;
        esac
        # a socket listens beside nothing that it starts: to open it anew stops that, and all that stops with it
        [ "$accept" != no ] || woken="$woken $wakes" relations="$relations $wakes"
        case $id:$active in *.socket:active) triggered="$triggered $wakes" ;; esac
        case $id:$load in
          *.target:loaded) wrappers="$wrappers $called" parts="$parts $with" ;;
          *.service:loaded) [ -z "$kind" ] || ! is_shape_of_wrapper "$kind" "$stays" "$sub" || wrappers="$wrappers $called" parts="$parts $with" ;;
          *:masked) parts="$parts $with" ;;
        esac
        id='' load='' active='' accept='' wakes='' changed=no called='' drop_ins='' job='' sub='' kind='' stays='' with='' well='' badly=''
        ;;
      DropInPaths=*) drop_ins=" ${line#*=} " ;;
      *= | NeedDaemonReload=no | StopWhenUnneeded=no | Job=0) ;;
      Requires=* | Requisite=* | Wants=* | BindsTo=*)
        needs="$needs ${line#*=}"
        [ -z "$of_members" ] || rec "$show_kind $line"
        ;;
      Type=*) kind=${line#*=} ;;
      RemainAfterExit=*) stays=${line#*=} ;;
      OnSuccess=*) well=${line#*=} ;;
      OnFailure=*) badly=${line#*=} ;;
      Job=*) job=${line#*=} ;;
      FragmentPath=* | SourcePath=*)
        [ "$show_kind" != unit ] || rec "$show_kind $line"
        case $line in
          *=/dev/null) ;;
          *) [ -e "$root${line#*=}" ] || rec "$show_kind Gone=${line#*=}" ;;
        esac
        ;;
      ExecStart=*)
        line=${line#*path=}
        line=${line%% ;*}
        case $line in
          *[!A-Za-z0-9_./@:+-]* | [!/]*) ;;
          *) programs="$programs $line" && rec "$show_kind Program=$line" ;;
        esac
        ;;
      *)
        rec "$show_kind $line"
        case $line in
          Id=*) id=${line#*=} ;;
          LoadState=*) load=${line#*=} ;;
          ActiveState=*) active=${line#*=} ;;
          SubState=*) sub=${line#*=} ;;
          Names=*) called=${line#*=} names="$names ${line#*=}" ;;
          NeedDaemonReload=yes) changed=yes ;;
          TriggeredBy=*) relations="$relations ${line#*=}" wakers="$wakers ${line#*=}" ;;
          RequiredBy=* | RequisiteOf=* | BoundBy=*) relations="$relations ${line#*=}" ;;
          ConsistsOf=* | PropagatesStopTo=*) relations="$relations ${line#*=}" with="$with ${line#*=}" ;;
          MainPID=0 | MainPID=*[!0-9]*) ;;
          MainPID=*) main_pids="$main_pids ${line#*=}" ;;
          BusName=*) bus_names="$bus_names ${line#*=}" ;;
          Accept=*) accept=${line#*=} ;;
          Triggers=*) wakes=${line#*=} ;;
        esac
        ;;
    esac
  done
  # a name that stands for nothing is shown, too, but no pattern is: what is missing was not answered. Not
  # every caller asks for names.
  [ -z "$said$names" ] || [ -n "$names" ] || set --
  for name in "$@"; do
    case $name in -* | *\**) continue ;; esac
    case "$names " in *" $name "*) ;; *) rec "trouble $show_kind missing" && break ;; esac
  done
  [ -z "$waiting" ] || tell_jobs
}

# is_shape_of_wrapper TYPE REMAINS [SUB]: whether a service of that Type= and RemainAfterExit= runs nothing by itself. An init
# script (forking) may well have left something running.
is_shape_of_wrapper() {
  case $1:$2:${3-} in
    oneshot:* | *:exited) return 0 ;;
    forking:* | *:running | *::* | *:no:* | *:off:* | *:false:* | *:0:*) return 1 ;;
  esac
}

unquote() {
  while :; do
    case $line in
      *'"'*) line=${line%%'"'*}${line#*'"'} ;;
      *"$bs$bs"*) line=${line%%"$bs$bs"*}$bs${line#*"$bs$bs"} ;;
      *) break ;;
    esac
  done
}

unescape() {
  while :; do
    case $line in
      *"${bs}x5cx"*) line=${line%%"${bs}x5cx"*}${bs}x${line#*"${bs}x5cx"} ;;
      *) break ;;
    esac
  done
}

# Which jobs those are that show merely numbers. Asked on a host alone where one of the units has a job.
tell_jobs() {
  query ctl list-jobs --no-legend --full -- $waiting || rec "trouble $show_kind $status"
  rest=$said$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    set -- $line
    case " $waiting " in *" ${2-} "*) rec "job $2 ${3-}" ;; esac
  done
}

# Whether a drop-in of a unit lies on disk that systemd has not read. Up to 252 it does not say so of directories that are new.
has_new_drop_in() {
  case $id in *@?*.*) called="$called ${id%%@*}@.${id##*.}" ;; esac
  for name in $called; do
    for dir in $unit_dirs; do
      [ -d "$root$dir/$name.d" ] || continue
      # /lib may be /usr/lib
      if [ "${dir#/lib/}" != "$dir" ] && [ "$root$dir" -ef "$root/usr$dir" ]; then continue; fi
      set +f
      for path in "$root$dir/$name.d"/*.conf; do
        case $drop_ins in */"${path##*/}"\ *) ;; *) if [ -f "$path" ]; then set -f && return 0; fi ;; esac
      done
      set -f
    done
  done
  return 1
}

# What lies on disk under the names, in every directory that systemd reads, highest rank first. Absent: no record.
paths() {
  for name in "$@"; do
    is_unit_name "$name" || continue
    for dir in $unit_dirs; do
      path=$root$dir/$name
      if [ -L "$path" ]; then
        if [ "$path" -ef /dev/null ]; then
          rec "path null $dir/$name"
          tell_displaced
        else
          rec_lines "path link $dir/$name" "$(readlink "$path")"
        fi
      elif [ -f "$path" ]; then
        if [ -s "$path" ]; then rec "path file $dir/$name"; else rec "path empty $dir/$name"; fi
      elif [ -e "$path" ]; then
        rec "path other $dir/$name"
      fi
    done
  done
}

# What a run moved aside for this link.
tell_displaced() {
  set +f
  for original in "$root$dir/.$name".fleetmask-*.orig; do
    if [ -e "$original" ] || [ -L "$original" ]; then rec_lines "displaced $dir/$name" "${original#"$root"}"; fi
  done
  set -f
}

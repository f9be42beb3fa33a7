# shellcheck shell=sh
# members.sh: the services that a unit stands for which runs nothing itself (a wrapper), and instances with a unit file of their
# own, which the mask of their template does not hold; and services of the same names that users run. Sent with a probe for a mask,
# an unmask or a status.
#
# Masking the wrapper stops its members (PartOf=), and lets them be started again. Who they are is known to systemd only of those
# that are loaded; the others, and those that are masked, are found by their files.

member_properties='-pPartOf -pStopPropagatedFrom -pRequires -pRequisite -pBindsTo -pWantedBy'

# `wrapper NAME` for each name of a wrapper; `member UNIT NAME…` for what a file says in PartOf= or StopPropagatedFrom=; and the
# candidates as units, with all that decides. More is $shown, to be done ($todo) and looked for ($looks) then. Most units are no
# wrappers, and cost nothing here.
find_members() {
  sought=' ' fresh='' awake=$wakers rounds=0 of_members=yes
  for name in $looks; do find_own_files "$name"; done
  for name in $shown; do find_sibling; done
  while [ "$rounds" -lt 4 ]; do
    rounds=$((rounds + 1))
    find_masked_wrappers
    seek_members
    for name in $parts; do take_member "$name"; done
    parts=
    [ -n "$fresh" ] || break
    show unit $unit_properties $shape_properties $member_properties $guarded $way_properties -- $fresh
    fresh='' todo="$todo $relations" shown="$shown $names" awake="$awake $wakers"
  done
  of_members='' wakers=$awake
}

# The template of the same name, which is there for more of the same: redis-server@.service beside redis-server.service.
find_sibling() {
  case $name in *@*) return 0 ;; *.service) ;; *) return 0 ;; esac
  for dir in $unit_dirs; do
    if [ -e "$root$dir/${name%.service}@.service" ]; then
      take_member "${name%.service}@.service"
      return 0
    fi
  done
}

# A mask leaves nothing of the file that systemd would tell.
find_masked_wrappers() {
  for name in $masked; do
    case $name in
      *.target) wrappers="$wrappers $name" ;;
      *.service) ! is_wrapper_below "$name" || wrappers="$wrappers $name" ;;
    esac
  done
}

# By the strongest file under the mask, one that a run moved aside included.
is_wrapper_below() {
  for dir in $unit_dirs; do
    set +f
    for path in "$root$dir/.$1".fleetmask-*.orig "$root$dir/$1"; do
      { [ -f "$path" ] && [ -s "$path" ]; } || continue
      set -f
      kind=simple stays=no
      while read -r line || [ -n "$line" ]; do
        value=${line##*[=[:space:]]}
        case $line in
          Type[=[:space:]]*) kind=$value ;;
          RemainAfterExit[=[:space:]]*) stays=$value ;;
          PropagatesStopTo=*) parts="$parts ${line#*=}" ;;
        esac
      done <"$path"
      is_shape_of_wrapper "$kind" "$stays"
      return
    done
  done
  set -f
  return 1
}

# Whose files name one of the wrappers; one grep for all that are new.
seek_members() {
  set --
  for name in $wrappers; do
    case $sought in *" $name "*) continue ;; esac
    sought="$sought$name "
    rec "wrapper $name"
    set -- "$@" -e "$name"
  done
  [ $# -gt 0 ] || return 0
  find_unit_places
  # of a specifier only systemd knows what it stands for
  hits=$(grep -rsHF -e 'PartOf=%' "$@" -- $places </dev/null)
  each_hit note_member
}

note_member() {
  line=${line#"${line%%[![:space:]]*}"}
  case $line in
    PartOf[=[:space:]]* | StopPropagatedFrom[=[:space:]]*) ;;
    # the rest of a line that was continued is nobody's word, but worth asking
    '#'* | ';'* | *=*) return 0 ;;
  esac
  place=${path%/*} member=${path##*/}
  case $place/$member in
    *.d/*) member=${place##*/} member=${member%.d} ;;
    */.*.fleetmask-*.orig) member=${member#.} member=${member%.fleetmask-*} ;;
  esac
  is_unit_name "$member" || return 0
  case $line in *=*) rec "member $member ${line#*=}" ;; esac
  take_member "$member"
}

# Into $fresh: with its template, and with what its template's mask does not hold.
take_member() {
  is_unit_name "$1" || return 0
  case $1 in
    *.service | *.target | *.socket | *.timer | *.path | *.automount) ;;
    *) return 0 ;;
  esac
  case $1 in
    *@.*) template=$1 ;;
    *@*) template=${1%%@*}@.${1##*.} && add_fresh "$1" ;;
    *) add_fresh "$1" && return 0 ;;
  esac
  case "$looks " in *" $template "*) return 0 ;; esac
  looks="$looks $template"
  add_fresh "${template%%@*}@fleetmask-witness.${template##*@.}"
  add_fresh "${template%%@*}@*.${template##*@.}"
  find_own_files "$template"
}

# Of a template's instances.
find_own_files() {
  for dir in $unit_dirs; do
    set +f
    for path in "$root$dir/${1%%@*}@"?*".${1##*@.}"; do
      if [ -f "$path" ] && [ "${path##*/}" != "$1" ]; then add_fresh "${path##*/}"; fi
    done
    set -f
  done
}

add_fresh() {
  case " $shown $fresh " in *" $1 "*) ;; *) fresh="$fresh $1" ;; esac
}

# Running services of these names that belong to a user's own manager (`systemctl --user`): `user UID NAME`. No system mask covers them.
# Their control groups are read, so nothing is asked, nothing is started, and no process is spent. What lies below a user's manager is that
# user's to fill, so only exact names are looked up there: in the standard slices, and of an instance in the slice of its template.
find_user_units() {
  managers=0 hits=0
  set +f
  for mount in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    for manager in "$root$mount"/user.slice/user-*.slice/user@*.service; do
      managers=$((managers + 1))
      { [ -d "$manager" ] && [ "$managers" -le 500 ] && [ "$hits" -lt 100 ]; } || continue
      uid=${manager##*/user@}
      uid=${uid%.service}
      case $uid in '' | *[!0-9]* | ???????????*) continue ;; esac
      for name in $shown; do note_user_unit; done
    done
  done
  set -f
}

note_user_unit() {
  case $name in *.service) ;; *) return 0 ;; esac
  kin=${name%.service}
  kin=${kin%%@*}
  # in the name of a slice a dash is a level
  while :; do
    case $kin in *-*) kin=${kin%%-*}${bs}x2d${kin#*-} ;; *) break ;; esac
  done
  for slice in '' app.slice/ session.slice/ background.slice/ "app.slice/app-$kin.slice/"; do
    if [ -d "$manager/$slice$name" ]; then
      rec "user $uid $name"
      hits=$((hits + 1))
      return 0
    fi
  done
}

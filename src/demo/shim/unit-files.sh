# shellcheck shell=sh
# How the simulated systemd reads unit files. Sourced by systemctl.sh, below $root.
#
# What was read at the last daemon-reload is kept in sim/loaded/, a file of properties per unit: that is what counts
# until the next one, whatever lies on disk meanwhile. As in systemd, a unit that neither runs nor is needed by one that
# is kept, or by a target, is not kept: it is read afresh each time.
#
# shellcheck disable=SC2034,SC2154 # variables are shared with systemctl.sh
# shellcheck disable=SC2086 # lists are words, and globbing is off but where it is wanted
# shellcheck disable=SC3013 # dash, bash and busybox know -ef

# The strongest first.
unit_dirs='/etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early
/etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system /usr/lib/systemd/system
/lib/systemd/system /run/systemd/generator.late'

scanned=no
edges= # RELATION/OF/UNIT
kept=  # those whose relations count

# Everything that has a name on disk: $units; $aliases as ALIAS/REAL; $links in .wants and .requires directories.
scan() {
  [ "$scanned" = no ] || return 0
  scanned=yes units=' ' aliases=' ' links=
  set +f
  for dir in $unit_dirs; do
    for entry in "$root$dir"/*; do
      base=${entry##*/}
      case $units in *" $base "*) continue ;; esac
      if [ -d "$entry" ]; then
        case $base in *.wants | *.requires) for link in "$entry"/*; do links="$links ${link#"$root"}"; done ;; esac
      elif [ -L "$entry" ] && ! [ "$entry" -ef /dev/null ]; then
        units="$units$base "
        target=$(readlink "$entry")
        [ "${target##*/}" = "$base" ] || aliases="$aliases$base/${target##*/} "
      elif [ -e "$entry" ]; then
        units="$units$base "
      fi
    done
  done
  set -f
}

# Into $found: the path of the highest rank under a unit's name, else under that of its template.
find_file() {
  for dir in $unit_dirs; do
    found=$dir/$1
    if [ -L "$root$found" ] || [ -e "$root$found" ]; then return 0; fi
  done
  found=
  case $1 in
    *@?*.*) find_file "${1%%@*}@.${1##*.}" ;;
    *) return 1 ;;
  esac
}

# The same below the masks.
find_vendor_file() {
  for dir in $unit_dirs; do
    found=$dir/$1
    if [ -f "$root$found" ] && ! is_mask "$found"; then return 0; fi
  done
  return 1
}

is_mask() {
  if [ -L "$root$1" ]; then [ "$root$1" -ef /dev/null ]; else [ ! -s "$root$1" ]; fi
}

# Before systemd 240 an instance that a .wants or .requires directory names is loaded from the link there, into $found, whatever its
# template has.
find_enabled() {
  case $systemd:$1 in 2[4-9][0-9]:*) return 1 ;; *:*@?*.*) ;; *) return 1 ;; esac
  for dir in $unit_dirs; do
    if [ -L "$root$dir/$1" ] || [ -e "$root$dir/$1" ]; then return 1; fi
  done
  for link in $links; do
    [ "${link##*/}" = "$1" ] || continue
    found=$(readlink "$root$link")
    [ ! -f "$root$found" ] || return 0
  done
  return 1
}

# Into $Id, $Names, $LoadState and $FragmentPath: what a name on disk stands for. An alias of a masked unit stands for
# itself only, and is masked before systemd 250 or so and broken since.
locate() {
  Id=$1 Names=$1 LoadState=loaded FragmentPath=
  if find_enabled "$1"; then
    FragmentPath=$found
    return
  fi
  while :; do
    if ! find_file "$Id"; then
      Id=$1 LoadState=not-found
      return
    fi
    real=${aliases#*" $Id/"}
    [ "$real" != "$aliases" ] || break
    Id=${real%% *}
  done
  FragmentPath=$found
  if [ "$Id" != "$1" ] && [ "$systemd" -lt 243 ] && is_mask "$found" && find_vendor_file "$Id"; then
    # the alias leads to the file itself, past the mask of the name
    FragmentPath=$found
    Names="$Id $1"
    return
  fi
  if is_mask "$found"; then
    LoadState=masked
    if [ "$Id" != "$1" ] && [ "$systemd" -ge 250 ]; then LoadState=error; fi
    Id=$1
    return
  fi
  Names=$Id
  if [ "$systemd" -lt 243 ]; then
    # only what was loaded so far
    [ "$Id" = "$1" ] || Names="$Id $1"
    return
  fi
  for pair in $aliases; do
    case $pair in */"$Id") Names="$Names ${pair%%/*}" ;; esac
  done
}

# Into the properties: a unit as the disk has it. A mask leaves nothing of the file, so that defaults apply.
read_unit() {
  scan
  locate "$1"
  KillMode=control-group RefuseManualStart=no RefuseManualStop=no Transient=no Type=simple RemainAfterExit=no
  OnActiveSec='' OnCalendar='' After='' PartOf='' BindsTo=''
  Requires='' Requisite='' Triggers='' Accept=no BusName='' Program='' OnStart='' OnStop='' Children=0
  WantedBy='' RequiredBy='' RequisiteOf='' BoundBy='' ConsistsOf='' TriggeredBy='' DropInPaths=''
  if [ "$LoadState" = loaded ]; then
    find_drop_ins
    file=$root$FragmentPath
    if [ -L "$file" ]; then file=$root$(readlink "$file"); fi
    unparsed=no
    parse "$file"
    [ "$unparsed$OnActiveSec$OnCalendar" != yes ] || LoadState=error
    case $Id$Accept in *.socketno | *.timer* | *.path*) Triggers=${Triggers:-${Id%.*}.service} ;; esac
    relate TriggeredBy $Triggers
  fi
  for link in $links; do
    owner=${link%/*}
    owner=${owner##*/}
    case " $Names " in
      *" ${owner%.*} "*)
        case $owner in
          *.requires) relate RequiredBy "${link##*/}" && Requires="$Requires ${link##*/}" ;;
          *) relate WantedBy "${link##*/}" ;;
        esac
        ;;
      *" ${link##*/} "*) case $owner in *.target.wants) WantedBy="$WantedBy ${owner%.*}" ;; esac ;;
    esac
  done
  for edge in $edges; do
    source=${edge#*/}
    source=${source%%/*}
    case $kept in *" $source "*) ;; *) continue ;; esac
    case " $Names " in *" ${edge##*/} "*) ;; *) continue ;; esac
    case $edge in
      WantedBy/*) WantedBy="$WantedBy $source" ;;
      RequiredBy/*) RequiredBy="$RequiredBy $source" ;;
      RequisiteOf/*) RequisiteOf="$RequisiteOf $source" ;;
      BoundBy/*) BoundBy="$BoundBy $source" ;;
      ConsistsOf/*) ConsistsOf="$ConsistsOf $source" ;;
      TriggeredBy/*) TriggeredBy="$TriggeredBy $source" ;;
    esac
  done
}

# Nothing in them is heeded.
find_drop_ins() {
  for dir in $unit_dirs; do
    [ -d "$root$dir/$Id.d" ] || continue
    set +f
    for path in "$root$dir/$Id.d"/*.conf; do [ ! -f "$path" ] || DropInPaths="$DropInPaths ${path#"$root"}"; done
    set -f
  done
}

parse() {
  while IFS= read -r line || [ -n "$line" ]; do
    value=${line#*=}
    case $line in
      '# This is a transient unit file'*) Transient=yes ;;
      Requires=*) relate RequiredBy $value && Requires="$Requires $value" ;;
      After=*) After="$After $value" ;;
      Requisite=*) relate RequisiteOf $value && Requisite="$Requisite $value" ;;
      BindsTo=*) relate BoundBy $value && Requires="$Requires $value" BindsTo="$BindsTo $value" ;;
      PartOf=*) relate ConsistsOf $value && PartOf="$PartOf $value" ;;
      Wants=*) relate WantedBy $value ;;
      Service=* | Unit=*) Triggers=$value ;;
      Accept=*) Accept=$value ;;
      BusName=*) BusName=$value ;;
      ExecStart=*) Program=${value%% *} ;;
      OnActiveSec=*) OnActiveSec=$value ;;
      # before systemd 228 that does not parse
      OnCalendar=*\ UTC) if [ "$systemd" -ge 228 ]; then OnCalendar=$value; else unparsed=yes; fi ;;
      OnCalendar=*) OnCalendar=$value ;;
      KillMode=*) KillMode=$value ;;
      RefuseManualStart=*) RefuseManualStart=$value ;;
      RefuseManualStop=*) RefuseManualStop=$value ;;
      Type=*) Type=$value ;;
      RemainAfterExit=*) RemainAfterExit=$value ;;
      X-Fleetmask-Start=*) OnStart=$value ;;
      X-Fleetmask-Stop=*) OnStop=$value ;;
      X-Fleetmask-Children=*) Children=$value ;;
    esac
  done <"$1"
}

relate() {
  relation=$1
  shift
  for other in "$@"; do
    case "$edges " in *" $relation/$Id/$other "*) ;; *) edges="$edges $relation/$Id/$other" ;; esac
  done
}

# The properties, as the unit's file in sim/loaded/.
keep_unit() {
  printf "%s='%s'\n" Id "$Id" Names "$Names" LoadState "$LoadState" FragmentPath "$FragmentPath" DropInPaths "${DropInPaths# }" KillMode "$KillMode" \
    RefuseManualStart "$RefuseManualStart" RefuseManualStop "$RefuseManualStop" Transient "$Transient" Type "$Type" \
    RemainAfterExit "$RemainAfterExit" Requires "${Requires# }" Requisite "${Requisite# }" \
    PartOf "${PartOf# }" BindsTo "${BindsTo# }" \
    Triggers "$Triggers" Accept "$Accept" BusName "$BusName" Program "$Program" OnActiveSec "$OnActiveSec" OnCalendar "$OnCalendar" WantedBy "${WantedBy# }" \
    RequiredBy "${RequiredBy# }" RequisiteOf "${RequisiteOf# }" BoundBy "${BoundBy# }" ConsistsOf "${ConsistsOf# }" \
    TriggeredBy "${TriggeredBy# }" After "${After# }" OnStart "$OnStart" OnStop "$OnStop" Children "$Children" >"sim/loaded/$Id"
  for other in $Names; do
    [ "$other" = "$Id" ] || printf "Alias='%s'\n" "$Id" >"sim/loaded/$other"
  done
}

# Reads everything twice: who relates to whom, and so who is kept, is known only after the first time.
reload() {
  scan
  candidates=' ' kept=' '
  set +f
  for entry in $units $links sim/active/*; do
    unit=${entry##*/}
    case $unit in '*' | *@.*) continue ;; esac
    case $candidates in *" $unit "*) ;; *) candidates="$candidates$unit " ;; esac
    case $entry in *.target.wants/* | *.target.requires/* | sim/active/*) keep "$unit" ;; esac
  done
  set -f
  for unit in $candidates; do read_unit "$unit"; done
  known=
  while [ "$known" != "$kept" ]; do
    known=$kept
    for edge in $edges; do
      source=${edge#*/}
      case $kept in *" ${source%%/*} "*) keep "${edge##*/}" ;; esac
    done
  done
  rm -rf sim/loaded
  mkdir sim/loaded
  for unit in $kept; do
    read_unit "$unit"
    keep_unit
  done
  disarm
}

# What a mask does at once: a timer fails, a socket is closed, and tells nobody; a start that waits is cancelled.
disarm() {
  set +f
  for entry in sim/jobs/*; do
    [ -e "$entry" ] || continue
    recall "${entry##*/}"
    [ "$LoadState" != masked ] || cancel_job "$Id"
  done
  for entry in sim/active/*.timer sim/active/*.socket; do
    [ -e "$entry" ] || continue
    recall "${entry##*/}"
    [ "$LoadState" = masked ] || continue
    case $Id in
      *.timer) set_state failed failed resources 0 ;;
      *) set_state "$ActiveState" "$SubState" "$Result" "$MainPID" yes ;;
    esac
  done
  set -f
}

keep() {
  case $kept in *" $1 "*) ;; *) kept="$kept$1 " ;; esac
}

# A unit comes to be loaded between two reloads, and with it those that it relates to: they hear of it.
introduce() {
  first_comer=$Id
  set -- "$Id"
  while [ $# -gt 0 ]; do
    newcomer=$1
    shift
    recall "$newcomer"
    keep_unit
    for edge in $edges; do
      case $edge in */"$newcomer"/*) ;; *) continue ;; esac
      [ -e "sim/loaded/${edge##*/}" ] || set -- "$@" "${edge##*/}"
      recall "${edge##*/}"
      role=${edge%%/*}
      eval "already=\" \$$role \""
      case $already in *" $newcomer "*) ;; *) eval "$role=\"\$$role $newcomer\"" ;; esac
      keep_unit
    done
  done
  recall "$first_comer"
}

# Into $NeedDaemonReload: whether a file that a loaded unit was read from, its drop-ins included, is not what it was then. That
# others were added does not count, nor, before systemd 248, that a mask is gone.
needs_reload() {
  NeedDaemonReload=no
  known=sim/loaded/$Id
  if ! [ -f "$known" ] || [ -z "$FragmentPath" ]; then return; fi
  if [ "$LoadState" = masked ]; then
    if [ "$systemd" -ge 248 ] && ! is_mask "$FragmentPath"; then NeedDaemonReload=yes; fi
    return
  fi
  [ "$LoadState" = loaded ] || return 0
  for path in $FragmentPath $DropInPaths; do
    if ! [ -e "$root$path" ] || [ "$root$path" -nt "$known" ]; then NeedDaemonReload=yes; fi
  done
}

# Into $UnitFileState, which systemd always reads from the disk.
file_state() {
  UnitFileState=
  [ -n "$1" ] || return 0
  if ! find_file "$1"; then
    [ "$LoadState" != loaded ] || UnitFileState=bad
    return
  fi
  if is_mask "$found"; then
    case $found in /run/*) UnitFileState=masked-runtime ;; *) UnitFileState=masked ;; esac
    return
  fi
  scan
  case "$found $aliases" in
    /run/systemd/transient/*) UnitFileState=transient ;;
    /run/systemd/generator*) UnitFileState=generated ;;
    *" ${found##*/}/"*) UnitFileState='alias' ;;
    *)
      UnitFileState=static
      if [ -L "$root$found" ]; then
        UnitFileState=linked
      else
        while IFS= read -r line; do [ "$line" != '[Install]' ] || UnitFileState=disabled; done <"$root$found"
      fi
      for link in $links; do
        case $link in
          /etc/*/"$1") UnitFileState=enabled ;;
          /run/*/"$1") [ "$UnitFileState" = enabled ] || UnitFileState=enabled-runtime ;;
        esac
      done
      ;;
  esac
}

# shellcheck shell=sh
# How the simulated systemd reads unit files. Sourced by systemctl.sh, below $root.
#
# What was read at the last daemon-reload is kept in sim/loaded/, a file of properties per unit: that is what counts
# until the next one, whatever lies on disk meanwhile. As in systemd, a unit that neither runs nor has to do with any
# other is not kept: it is read afresh each time.
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

is_mask() {
  if [ -L "$root$1" ]; then [ "$root$1" -ef /dev/null ]; else [ ! -s "$root$1" ]; fi
}

# Into $Id, $Names, $LoadState and $FragmentPath: what a name on disk stands for.
locate() {
  Id=$1 Names=$1 LoadState=loaded FragmentPath=
  while :; do
    if ! find_file "$Id"; then
      Id=$1 LoadState=not-found
      return
    fi
    real=${aliases#*" $Id/"}
    [ "$real" != "$aliases" ] || break
    Id=${real%% *}
  done
  if is_mask "$found"; then
    LoadState=masked
    if [ "$Id" != "$1" ] && [ "${Version%%[!0-9]*}" -ge 250 ]; then
      Id=$1 LoadState=error
      return
    fi
  fi
  FragmentPath=$found Names=$Id
  for pair in $aliases; do
    case $pair in */"$Id") Names="$Names ${pair%%/*}" ;; esac
  done
}

# Into the properties: a unit as the disk has it. A mask leaves nothing of the file, so that defaults apply.
read_unit() {
  scan
  locate "$1"
  KillMode=control-group RefuseManualStart=no RefuseManualStop=no Transient=no Type=simple RemainAfterExit=no
  Requires='' Triggers='' OnStart='' OnStop='' Children=0
  WantedBy='' RequiredBy='' RequisiteOf='' BoundBy='' ConsistsOf='' TriggeredBy=''
  if [ "$LoadState" = loaded ]; then
    file=$root$FragmentPath
    if [ -L "$file" ]; then file=$root$(readlink "$file"); fi
    parse "$file"
    case $Id in *.socket | *.timer | *.path) Triggers=${Triggers:-${Id%.*}.service} ;; esac
    relate TriggeredBy $Triggers
    case $FragmentPath in /run/systemd/transient/*) Transient=yes ;; esac
  fi
  related=no
  for link in $links; do
    owner=${link%/*}
    owner=${owner##*/}
    case " $Names " in
      *" ${owner%.*} "*) case $owner in *.requires) Requires="$Requires ${link##*/}" ;; esac ;;
      *" ${link##*/} "*)
        related=yes
        case $owner in *.wants) WantedBy="$WantedBy ${owner%.*}" ;; *) RequiredBy="$RequiredBy ${owner%.*}" ;; esac
        ;;
    esac
  done
  for edge in $edges; do
    target=${edge##*/}
    source=${edge#*/}
    source=${source%%/*}
    if [ "$source" = "$Id" ]; then related=yes; fi
    case " $Names " in *" $target "*) ;; *) continue ;; esac
    related=yes
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

parse() {
  while IFS= read -r line || [ -n "$line" ]; do
    value=${line#*=}
    case $line in
      Requires=*) relate RequiredBy $value && Requires="$Requires $value" ;;
      Requisite=*) relate RequisiteOf $value && Requires="$Requires $value" ;;
      BindsTo=*) relate BoundBy $value && Requires="$Requires $value" ;;
      PartOf=*) relate ConsistsOf $value ;;
      Wants=*) relate WantedBy $value ;;
      Service=* | Unit=*) Triggers=$value ;;
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
  printf "%s='%s'\n" Id "$Id" Names "$Names" LoadState "$LoadState" FragmentPath "$FragmentPath" KillMode "$KillMode" \
    RefuseManualStart "$RefuseManualStart" RefuseManualStop "$RefuseManualStop" Transient "$Transient" Type "$Type" \
    RemainAfterExit "$RemainAfterExit" Requires "${Requires# }" Triggers "$Triggers" WantedBy "${WantedBy# }" \
    RequiredBy "${RequiredBy# }" RequisiteOf "${RequisiteOf# }" BoundBy "${BoundBy# }" ConsistsOf "${ConsistsOf# }" \
    TriggeredBy "${TriggeredBy# }" OnStart "$OnStart" OnStop "$OnStop" Children "$Children" >"sim/loaded/$Id"
  for other in $Names; do
    [ "$other" = "$Id" ] || printf "Alias='%s'\n" "$Id" >"sim/loaded/$other"
  done
}

# Reads everything twice: who relates to whom is known only after the first time.
reload() {
  scan
  candidates=
  set +f
  for entry in $units $links sim/active/*; do
    case "$candidates " in *" ${entry##*/} "*) ;; *) candidates="$candidates ${entry##*/}" ;; esac
  done
  set -f
  for unit in $candidates; do
    case $unit in '*' | *@.*) ;; *) read_unit "$unit" ;; esac
  done
  rm -rf sim/loaded
  mkdir sim/loaded
  for unit in $candidates; do
    case $unit in '*' | *@.*) continue ;; esac
    read_unit "$unit"
    if [ "$related" = yes ] || [ -e "sim/active/$Id" ]; then keep_unit; fi
  done
}

# Into $UnitFileState, which systemd always reads from the disk.
file_state() {
  UnitFileState=
  find_file "$1" || return 0
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

# shellcheck shell=sh
# shells.sh: shells that take this program for something else are refused by name, before they have read more of it.
unfit=
# mksh counts in 32 bits, and keeps open files from its children
[ -z "${KSH_VERSION-}" ] || unfit=ksh
case ${KSH_VERSION-} in *'MIRBSD KSH'*) unfit=mksh ;; esac
[ -z "${YASH_VERSION-}" ] || unfit=yash
[ -z "${ZSH_VERSION-}" ] || unfit=zsh
if [ -n "$unfit" ]; then
  echo "fleetmask does not run under $unfit, which is the sh of this host" >&2
  exit 1
fi

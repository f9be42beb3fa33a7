#!/bin/sh
# `flock -n FD` and `flock -w SECONDS FD`, for machines without one.
case $1 in
  -n) seconds=0 fd=$2 ;;
  -w) seconds=$2 fd=$3 ;;
esac
# shellcheck disable=SC2016 # perl's variables
exec perl -e '
  open(my $lock, ">&=", $ARGV[0]) or exit 69;
  for (0 .. $ARGV[1] * 10) { exit 0 if flock($lock, 2 | 4); select(undef, undef, undef, 0.1) if $ARGV[1] }
  exit 1' "$fd" "$seconds"

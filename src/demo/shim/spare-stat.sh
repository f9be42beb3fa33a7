#!/bin/sh
# `stat -c FORMAT FILE…` with %n, %i and %Z, for machines whose stat does not know -c.
shift
# shellcheck disable=SC2016 # perl's variables
exec perl -e '
  my $format = shift;
  for my $file (@ARGV) {
    my @stat = lstat($file) or exit 1;
    my %field = (n => $file, i => $stat[1], Z => $stat[10]);
    (my $line = $format) =~ s/%([niZ])/$field{$1}/g;
    print "$line\n";
  }' "$@"

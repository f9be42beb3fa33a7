#!/bin/sh
# `stat -c FORMAT FILE…` with %n, %i and %.9Z, for machines whose stat does not know -c.
shift
# shellcheck disable=SC2016 # perl's variables
exec perl -MTime::HiRes=lstat -e '
  my $format = shift;
  for my $file (@ARGV) {
    my @stat = lstat($file) or exit 1;
    my %field = (n => $file, i => $stat[1], ".9Z" => sprintf("%.9f", $stat[10]));
    (my $line = $format) =~ s/%(n|i|\.9Z)/$field{$1}/g;
    print "$line\n";
  }' "$@"

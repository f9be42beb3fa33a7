#!/bin/sh
# `timeout -k GRACE SECONDS COMMAND…`, for machines without one.
grace=$2 seconds=$3
shift 3
"$@" &
command=$!
(
  # Its sleep ends with it.
  trap 'kill "$sleeping"; exit' TERM
  sleep "$seconds" &
  sleeping=$!
  wait "$sleeping"
  kill -s TERM "$command"
  sleep "$grace" &
  sleeping=$!
  wait "$sleeping"
  kill -s KILL "$command"
) >/dev/null 2>&1 &
watch=$!
wait "$command"
status=$?
kill -s TERM "$watch" 2>/dev/null
case $status in 143 | 137) exit 124 ;; esac
exit "$status"

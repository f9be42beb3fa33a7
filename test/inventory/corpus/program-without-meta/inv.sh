#!/bin/sh
if [ "$1" = --list ]; then echo '{"web": {"hosts": ["w1", "w2"]}, "lone": ["l1"]}'; else echo "{\"me\": \"$2\"}"; fi

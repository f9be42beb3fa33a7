#!/bin/sh
echo '{"web": {"hosts": "w1"}}'

#!/bin/sh
echo '{"web": ["w1"], "_meta": {"hostvars": {"w1": {"a": 1, "b": 1}}}}'

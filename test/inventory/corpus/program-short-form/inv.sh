#!/bin/sh
echo '{"solo": {"a": 1}, "web": {"hosts": ["w1"]}, "_meta": {"hostvars": {}}}'

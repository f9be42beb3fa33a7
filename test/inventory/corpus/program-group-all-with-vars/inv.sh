#!/bin/sh
echo '{"all": {"vars": {"a": 1}, "children": ["web"]}, "web": {"hosts": ["w1"], "vars": {"ansible_group_priority": 5}}, "_meta": {"hostvars": {"w1": {"b": 2}}}}'

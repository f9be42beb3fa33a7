#!/bin/sh
cat <<X
{"web": {"hosts": ["w1", "w2"], "vars": {"a": 1.0}, "children": ["sub"]}, "sub": ["s1"], "_meta": {"hostvars": {"w1": {"x": 1, "y": [true, null]}, "s1": {}}}}
X

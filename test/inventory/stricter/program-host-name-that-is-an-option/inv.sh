#!/bin/sh
echo '{"web": {"hosts": ["-oProxyCommand=id"]}, "_meta": {"hostvars": {}}}'

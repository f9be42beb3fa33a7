[web]
w1

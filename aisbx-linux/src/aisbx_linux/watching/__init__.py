"""What a watched sandbox may not do, told as it happens: seccomp user notification. See docs/adr/0030.

notify.py    the kernel's side: filters that notify, listeners, answers
hand.py      how a listener gets from the process that put its filter on to the one that watches
calls.py     what the arguments of a refused call say
refused.py   what is told of a refused call
serve.py     the process that watches a sandbox (`aisbx.watcher` starts it)
"""

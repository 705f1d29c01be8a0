"""What a command uses of what it is allowed, told to who learns a profile from it. See docs/adr/0033.

calls.py     which calls are told of, and what they say
filter.py    a filter that tells of allowed calls too
hand.py      how its listener gets out
answer.py    the listener's side: on with an allowed call, or the errno
seen.py      what was seen, counted
serve.py     the process that listens (`aisbx.observer` starts it); ask.py  what is asked of it
"""

"""The aisbx that is running, as files: the host executes them outside of every sandbox, so no sandbox may write them.

editable.py  which distributions of aisbx are imported from a folder of somebody's, and which folder
narrow.py    what aisbx imports from, before it imports anything else
parts.py     all that belongs to it: environment, interpreter, packages, a checkout's scripts
hold.py      read-only mounts over whatever of it a writable mount would show
"""

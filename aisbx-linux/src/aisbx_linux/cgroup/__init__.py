"""Control groups: the kernel's own bounds for the sum of a sandbox's processes.

find.py   where groups may be made here, and what each limit needs in one; when a plan is made
group.py  one launch's group: made, filled, read and removed
"""

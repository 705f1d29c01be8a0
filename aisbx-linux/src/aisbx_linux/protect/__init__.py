"""Protected files: what the host would execute or trust by itself, held and checked in a live workspace.

Import-free, because it is on the way to every run. `scan` finds what is there before a run, `settle` undoes what
appeared during it; `names` says which files and why.
"""

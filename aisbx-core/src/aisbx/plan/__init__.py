"""Plans on disk: a resolved launch, kept so that the next run with the same inputs need not resolve again.

key.py     which file, and whether what it was made from is still so
entry.py   read and write entries, guarded like keys
run.py     carry an entry out and record it; the full path and the lean front both end here
"""

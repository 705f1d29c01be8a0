"""Plans on disk: a resolved launch, kept so that the next run with the same inputs need not resolve again.

recall.py  which entry belongs to a run, whether it still holds, and how its code is loaded
keep.py    write entries
known.py   other results that runs without an entry have in common, kept as data
run.py     carry an entry out and record it; the full path and the lean front both end here
"""

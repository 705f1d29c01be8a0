"""Commands in the background of a sandbox that lasts: each has a process of ours that serves it, and a directory.

`supervisor.py` is that process; it holds the command's pipes, writes what it prints (`spool.py`) and how it is
(`record.py`), and answers those who attach (`door.py`). Others read the files (`output.py`) and ask it (`caller.py`).
"""

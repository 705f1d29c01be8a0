"""Sandboxes of another machine, by its supervisor: the engine that `--remote` and `remote=` put in place of our own.

server.py      a supervisor's address, what is asked and answered, errors as they were raised there
told.py        answers as what the engine gives: records, outcomes, changes
asked.py       requests and commands as bodies; what a supervisor decides by itself is refused here
engine.py      `RemoteEngine` and its sandboxes
opened.py      a sandbox whose commands run there, and a command with its streams here
terminal.py    a terminal of this process's, for one that runs there
inside.py      files, processes, pause
background.py  commands in the background
review.py      changes and snapshots
host.py        keys, grants, the audit log, the doctor

It has those of `Engine`'s methods that the command line and programs use; tests/remote holds both to the same.
"""

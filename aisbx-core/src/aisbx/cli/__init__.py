"""The command line: `fast.py` is the lean front for `run`, `app.py` the full one. Imports nothing, for `fast.py`."""

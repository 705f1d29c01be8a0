"""The audit log: one JSON object per line and run, in `$XDG_STATE_HOME/aisbx/audit.jsonl`."""

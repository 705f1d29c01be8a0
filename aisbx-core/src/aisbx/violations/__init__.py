"""What a sandbox tried to do that it may not: one shape, one place.

A violation is a record of the audit log, of the kind `violation`, with the members of `Violation`. So it outlives the
sandbox, is chained with all others, and reaches every sink.

rules.toml     what each means and how grave it is
rules.py       which rule fits; patterns over several
recorder.py    writes them down, and bounds how many
read.py        finds them again
"""

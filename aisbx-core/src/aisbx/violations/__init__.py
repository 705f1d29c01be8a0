"""What a sandbox tried to do that it may not: one shape, one place.

A violation is a record of the audit log: one of the kind `violation`, or what another record (of the proxy, a policy, a
limit, the door of a host) says of the same. So it outlives the sandbox, and is chained with all others.

rules.toml     what each means and how grave it is
patterns.toml  what several mean together
rules.py       which rule fits
patterns.py    bursts, scans, sequences
recorder.py    writes down what nobody else records, and bounds how much
derive.py      reads what others recorded
read.py        finds them again
"""

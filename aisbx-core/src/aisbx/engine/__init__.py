"""The one door that every host uses: `Engine.run(request, principal, stdio) -> Outcome`.

prepare.py   from a request to a spec, a driver and what it says of the spec
keep.py      plans: what a prepared run leaves for the next one
engine.py    admission, launch, record
"""

from aisbx.engine.engine import Engine
from aisbx.engine.prepare import Prepared, Preview

__all__ = ["Engine", "Prepared", "Preview"]

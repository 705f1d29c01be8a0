"""Where the compiled front hands a run over: `resume.py STATE ARGUMENT...`, in the process that has started it.

STATE is the number of an open memory file; see `aisbx.cli.handed`. Like `fast.py`, this file only makes the modules
that do the work, and is no command: whoever starts it with anything but a run's state gets an error.
"""

import gc
import sys
from _frozen_importlib_external import SourceFileLoader  # importlib.machinery's own, without importing that

if __name__ == "__main__":
    gc.disable()
    root = __file__.rpartition("/aisbx/cli/")[0]
    sys.path.insert(0, root)
    for name in ("aisbx.plan.recall", "aisbx.cli.lean", "aisbx.cli.handed"):
        sys.modules[name] = module = type(sys)(name)
        module.__file__ = f"{root}/{name.replace('.', '/')}.py"
        exec(SourceFileLoader(name, module.__file__).get_code(name), module.__dict__)  # type: ignore[arg-type]  # noqa: S102 - our own source
    module.main(sys.argv[1:])

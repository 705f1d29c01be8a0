"""The door of `aisbx`: `run` with a plan at hand goes the short way, everything else the full one.

Started as a file by `python -I -S`, so that neither site-packages nor the user's environment is read; this file
only makes the two modules that look for a plan, and hands over, because a file that is run is compiled anew each time.
They are made without a search and without their packages, which takes the import system a millisecond.
"""

import gc
import posix
import sys
from _frozen_importlib_external import SourceFileLoader  # importlib.machinery's own, without importing that

if __name__ == "__main__":
    gc.disable()  # a short life makes no garbage worth looking for; the full command line turns it on again
    root = __file__.rpartition("/aisbx/cli/")[0]
    sys.path.insert(0, root)
    for name in ("aisbx.plan.recall", "aisbx.cli.lean"):
        sys.modules[name] = module = type(sys)(name)
        module.__file__ = f"{root}/{name.replace('.', '/')}.py"
        exec(SourceFileLoader(name, module.__file__).get_code(name), module.__dict__)  # type: ignore[arg-type]  # noqa: S102 - our own source
    try:
        module.main(sys.argv[1:])
    except Exception as error:
        # What the short way could not even tell of, such as a limit under which no module can be opened.
        if b"AISBX_DEBUG" in posix.environ:
            raise
        print(f"aisbx: internal: {error}; hint: set AISBX_DEBUG=1 to see where, and report it", file=sys.stderr)
        sys.exit(125)

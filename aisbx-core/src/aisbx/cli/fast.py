"""The door of `aisbx`: `run` with a plan at hand goes the short way, everything else the full one.

Started as a file by `python -I -S`, so that neither site-packages nor the user's environment is read; this file
only finds the package and hands over, because a file that is run is compiled anew each time.
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # a short life makes no garbage worth looking for; the full command line turns it on again
    sys.path.insert(0, __file__.rpartition("/aisbx/cli/")[0])
    from aisbx.cli.lean import main

    main(sys.argv[1:])

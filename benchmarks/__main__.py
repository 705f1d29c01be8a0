"""`./dev bench`: the benchmark whose targets a change must not miss."""

import sys

from benchmarks.cold import main

sys.exit(main())

"""`./dev bench`: the benchmark whose targets a change must not miss; with `--peers`, the table of all."""

import sys

if "--peers" in sys.argv[1:]:
    from benchmarks.peers.compare import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--peers"]))
else:
    from benchmarks.cold import main

    sys.exit(main())

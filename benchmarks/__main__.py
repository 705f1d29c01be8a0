"""`./dev bench`: the benchmark whose targets a change must not miss; with `--peers`, the table of all; with
`--warm`, that of commands of sandboxes that last; with `--fork`, that of forks; with `--agents`, that of the MCP
server; with `--egress`, that of allow-lists; with `--drivers`, that of the drivers side by side; with `--supervisor`,
that of the REST host; with `--monitor`, that of watching."""

import sys

if "--peers" in sys.argv[1:]:
    from benchmarks.peers.compare import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--peers"]))
elif "--fork" in sys.argv[1:]:
    from benchmarks.fork import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--fork"]))
elif "--agents" in sys.argv[1:]:
    from benchmarks.agents import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--agents"]))
elif "--warm" in sys.argv[1:]:
    from benchmarks.warm import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--warm"]))
elif "--egress" in sys.argv[1:]:
    from benchmarks.egress import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--egress"]))
elif "--drivers" in sys.argv[1:]:
    from benchmarks.drivers import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--drivers"]))
elif "--supervisor" in sys.argv[1:]:
    from benchmarks.supervisor import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--supervisor"]))
elif "--monitor" in sys.argv[1:]:
    from benchmarks.monitor import main

    sys.exit(main([word for word in sys.argv[1:] if word != "--monitor"]))
else:
    from benchmarks.cold import main

    sys.exit(main())

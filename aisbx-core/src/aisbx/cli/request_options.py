"""The options of `run` that `create` and `exec` have too: each takes one string and may be given again."""

from typing import Annotated

import typer

from aisbx.cli import complete

_Strings = list[str] | None

Profile = Annotated[
    _Strings,
    typer.Option("--profile", "-p", metavar="P[+P]", help="Profiles, composed.", autocompletion=complete.profiles),
]
Driver = Annotated[
    _Strings,
    typer.Option(
        "--driver", "-d", metavar="D", help="Driver, or auto: the strongest.", autocompletion=complete.drivers
    ),
]
Workspace = Annotated[
    _Strings,
    typer.Option("--workspace", "-w", metavar="DIR[:MODE]", help="Directory to work in; rw, ro, cow or guarded."),
]
Env = Annotated[_Strings, typer.Option("--env", "-e", metavar="K=V", help="Set a variable; may be repeated.")]
Mount = Annotated[
    _Strings, typer.Option("--mount", metavar="SRC:DST[:rw]", help="Show a host path inside; may be repeated.")
]
Rootfs = Annotated[
    _Strings,
    typer.Option("--rootfs", metavar="DIR", help="Run on the system in DIR: see aisbx init --rootfs."),
]
Network = Annotated[
    _Strings,
    typer.Option("--network", metavar="NET", help="none, open or allow=HOST[:PORT],@pypi,...; none is the default."),
]
Publish = Annotated[
    _Strings,
    typer.Option("--publish", metavar="PORT", help="Reach a server inside on the host's loopback; may be repeated."),
]
Secret = Annotated[
    _Strings,
    typer.Option("--secret", metavar="NAME", help="Give a secret: NAME[,type=env|proxy][,target=T]…; may be repeated."),
]
Timeout = Annotated[_Strings, typer.Option("--timeout", "-t", metavar="TIME", help="End it after 30s, 5m, 1h30m.")]
Memory = Annotated[_Strings, typer.Option("--memory", metavar="SIZE", help="Cap its memory: 512M, 1.5G.")]
Pids = Annotated[_Strings, typer.Option("--pids", metavar="N", help="Cap its tasks.")]
Cpus = Annotated[_Strings, typer.Option("--cpus", metavar="N", help="Cap its cores: 2, 0.5.")]
Disk = Annotated[_Strings, typer.Option("--disk", metavar="SIZE", help="Cap what it writes to private space.")]
Output = Annotated[_Strings, typer.Option("--output", metavar="SIZE", help="Pass on this much output, drop the rest.")]
Monitor = Annotated[
    bool | None, typer.Option("--monitor/--no-monitor", help="Record each system call that it is refused, or none.")
]

"""Inside: runs each client of `clients.json` in turn, and prints what came of it as JSON.

With the argument `secret` it is by the command for that, where a client has one.
"""

import json
import os
import shutil
import subprocess
import sys
import time

_LONGEST = 60
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_ELSEWHERE = {"uv": "bin/uv", "go": "/usr/local/go/bin/go", "pip": "python3"}


def missing(name: str) -> bool:
    """Tell whether a client is not on this machine."""
    tool, _, part = name.partition(",")
    tool = tool.split()[0]
    if tool != "python":
        return shutil.which(tool) is None and shutil.which(_ELSEWHERE.get(tool, tool)) is None
    module = part.split()[0]
    if module not in {"requests", "urllib3", "httpx", "aiohttp"}:
        return False
    return not any(os.path.exists(f"site/{name}") for name in (module, f"{module}2"))


def main() -> None:
    """Run them."""
    with open("clients.json", encoding="utf-8") as stream:
        clients = json.load(stream)
    bare = {
        k: v for k, v in os.environ.items() if k.lower() not in _VARIABLES and not k.startswith(("NODE_USE", "JAVA_T"))
    }
    command = "secret" if sys.argv[1:] == ["secret"] else "run"
    told: dict[str, dict[str, object]] = {"with": {}, "without": {}, **({"other": {}} if command == "run" else {})}
    for client in clients:
        if command not in client:
            continue
        name = client["name"]
        for way, rows in told.items():
            other = way == "other"
            skipped = missing(name) or (other and client.get("fixed", False))
            row: dict[str, object] = {
                "missing": missing(name),
                "skipped": skipped,
                "other": other,
                "reached": False,
                "seconds": 0,
                "said": "",
                "shown": "",
            }
            if not skipped:
                environ = dict(os.environ if way == "with" else bare, host="other.example" if other else "web.example")
                begin = time.monotonic()
                try:
                    done = subprocess.run(
                        ["sh", "-c", client[command]],
                        env=environ, capture_output=True, timeout=_LONGEST, stdin=subprocess.DEVNULL, check=False,
                    )  # fmt: skip
                    row["reached"] = client.get("wants", "hello").encode() in done.stdout
                    row["shown"] = (done.stdout + done.stderr)[-10000:].decode(errors="replace")
                    row["said"] = (done.stderr or done.stdout)[-300:].decode(errors="replace")
                except subprocess.TimeoutExpired:
                    row["said"] = f"it took more than {_LONGEST} s"
                row["seconds"] = time.monotonic() - begin
            rows[name] = row
    print(json.dumps(told))


if __name__ == "__main__":
    main()

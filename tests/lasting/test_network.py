"""Programs that know of no proxy, in a sandbox with an allow-list: what is allowed is reached by its name, and all else
fails at once. In a network that is the tests' own, with servers by real names and on real ports.
"""

import shlex
import sys
from pathlib import Path

from .conftest import Box

ALLOWED = "allow=web.example,*.wild.example:443,127.0.0.2"
INSIDE = """
import errno, socket, ssl, sys
def tried(name, port, say=b"", server_name=None):
    try:
        with socket.create_connection((name, port), timeout=10) as plain:
            if server_name is None:
                plain.sendall(say)
                return plain.recv(100).decode().splitlines()[:1]
            context = ssl.create_default_context(cafile="ca.pem")
            context.check_hostname = server_name == name
            with context.wrap_socket(plain, server_hostname=server_name) as secure:
                secure.sendall(say)
                return secure.recv(100).decode().splitlines()[:1]
    except socket.gaierror as error:
        return "no such name" if error.errno == socket.EAI_NONAME else error
    except ssl.SSLError as error:
        return error.reason
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
def get(host):
    return b"GET /hello HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % host.encode()
for case in [
    ("web.example", 80, get("web.example")),
    ("web.example", 443, get("web.example"), "web.example"),
    ("a.wild.example", 443, get("a.wild.example"), "a.wild.example"),
    ("web.example", 80, get("other.example")),
    ("web.example", 443, get("other.example"), "other.example"),
    ("web.example", 443, get("web.example")),
    ("a.wild.example", 80, get("a.wild.example")),
    ("web.example", 9000, b"x"),
    ("other.example", 443, b""),
    ("127.0.0.2", 443, b""),
    ("127.0.0.1", 443, b""),
    ("198.18.0.99", 443, b""),
    ("192.0.2.1", 443, b""),
    ("2001:db8::1", 443, b""),
]:
    print(case[0], case[1], tried(*case), flush=True)
"""
OK = "['HTTP/1.1 200 OK']"


def in_network(box: Box, tmp_path: Path, script: str) -> list[str]:
    """Run a shell script in that network; `$aisbx` is the command, `ca.pem` the authority. Gives what it printed."""
    place = tmp_path / "network"
    place.mkdir()
    (box.project / "inside.py").write_text(INSIDE)
    script = f'cp {place}/ca.pem . && aisbx() {{ {shlex.join(box.argv())} "$@"; }}\n{script}'
    argv = [sys.executable, "-m", "benchmarks.network", str(place), "--", "sh", "-ec", script]
    done = box.run(["env", f"PYTHONPATH={Path(__file__).parents[2]}", *argv])
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_without_the_proxys_variables_what_is_allowed_is_reached_and_all_else_fails_at_once(
    box: Box, tmp_path: Path
) -> None:
    lines = in_network(box, tmp_path, f"aisbx run --network '{ALLOWED}' -- python3 inside.py")
    assert lines == [
        f"web.example 80 {OK}",
        f"web.example 443 {OK}",
        f"a.wild.example 443 {OK}",
        "web.example 80 ['HTTP/1.1 400 Bad request: the Host field names another host than the connection']",
        "web.example 443 TLSV1_ALERT_ACCESS_DENIED",  # another name in the handshake
        "web.example 443 []",  # no handshake
        "a.wild.example 80 ['HTTP/1.1 403 Refused by aisbx: a.wild.example:80 is refused: no rule allows it']",
        "web.example 9000 ECONNREFUSED",  # a rule without a port: the common ones
        "other.example 443 no such name",
        "127.0.0.2 443 ECONNRESET",
        "127.0.0.1 443 ECONNRESET",
        "198.18.0.99 443 ECONNRESET",
        "192.0.2.1 443 ENETUNREACH",
        "2001:db8::1 443 ENETUNREACH",
    ]


def test_a_name_that_is_granted_while_a_sandbox_lasts_has_an_address_from_then_on(box: Box, tmp_path: Path) -> None:
    fetch = "curl -sS --noproxy '*' --cacert ca.pem https://other.example/hello"
    script = (
        f"aisbx create --name net --network {ALLOWED}; aisbx exec net -- {fetch} || echo none;"
        f"aisbx grant net other.example:443 >&2; aisbx exec net -- {fetch}"
    )
    assert in_network(box, tmp_path, script) == ["net", "none", "hello from other.example"]


def test_clients_reach_what_is_allowed_with_and_without_the_proxys_variables(box: Box, tmp_path: Path) -> None:
    url = "https://web.example/hello"
    (box.project / "fetch.py").write_text(
        "import ssl, urllib.request\n"
        "context = ssl.create_default_context(cafile='ca.pem')\n"
        f"print(urllib.request.urlopen('{url}', context=context).read().decode(), end='')\n"
    )
    once = f"curl -sS --cacert ca.pem {url}; wget -qO- --ca-certificate=ca.pem {url}; python3 fetch.py"
    script = f"{once}; unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY; {once}"
    lines = in_network(box, tmp_path, f"aisbx run --network {ALLOWED} -- sh -c {shlex.quote(script)}")
    assert lines == ["hello from web.example"] * 6

"""Attacks on a secret that the proxy puts in: `secret:proxied`. A server of the host's is told it, and shows it.

Each asks that server by the placeholder first: where the secret does not arrive, nothing was proved. What is looked
for is known inside with each byte raised by one, so that a program which searches its own memory does not find itself.
"""

import base64
from collections.abc import Mapping
from pathlib import Path

from aisbx.egress import job
from aisbx.errors import PluginNotFoundError
from aisbx.plugins import Plugins
from aisbx.testing import listeners
from aisbx.testing.attack import Attack
from aisbx.testing.attacks.network import noticed
from aisbx.testing.scene import Scene
from aisbx.testing.specs import KIT_KEY, PLACEHOLDER, with_secret
from aisbx.types import PROXY_PORT, Authority, Binding, ExitStatus, Proxied, ProxiedSecret, SecretEgress

_ASK = """
    import ssl

    key, raised = os.environ[facts["variable"]].encode(), bytes((byte + 1) % 256 for byte in range(256))
    wanted, port = [bytes.fromhex(form) for form in facts["forms"]], facts["port"]

    def shown(data):
        data = data.translate(raised)
        return any(form in data for form in wanted)

    def reach(port):
        # By itself, as where there is no proxy; inside nobody listens there.
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            client = socket.create_connection(("127.0.0.1", facts["proxy"]), 5)
        place = b"localhost:%d" % port
        client.sendall(b"CONNECT " + place + b" HTTP/1.1\\r\\nHost: " + place + b"\\r\\n\\r\\n")
        if b" 200 " not in client.recv(4096):
            raise ConnectionRefusedError("by the proxy")
        return client

    def ask(port, path, field=b"X-API-Key", secured=True):
        client = reach(port)
        if secured:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client = context.wrap_socket(client, server_hostname="localhost")
        with client:
            client.settimeout(5)
            head = b"GET %s HTTP/1.1\\r\\nHost: localhost:%d\\r\\n%s: %s\\r\\nConnection: close\\r\\n\\r\\n"
            client.sendall(head % (path, port, field, key))
            answer = b""
            while got := client.recv(65536):
                answer += got
            return answer

    def ask_who_may_know():
        try:
            answer = ask(port, b"/v1/x")
        except OSError as error:
            answer = repr(error).encode()
        if b"arrived" not in answer:
            raise RuntimeError("the secret does not arrive: " + repr(answer))
        return answer
"""


def bears(scene: Scene) -> Proxied:
    """Give what a driver is given of the scene's secret; without the egress plugin nobody can hold it."""
    host = Binding((f"localhost:{scene.ports[0]}",), paths=("/v1",))
    given = [ProxiedSecret("kit:key", PLACEHOLDER, scene.secret.encode(), (host,), ("x-api-key",))]
    try:
        plugin = Plugins().get("egress", job.PLUGIN, {})
        authority = plugin.authority(given) if isinstance(plugin, SecretEgress) else Authority(b"", b"")
    except PluginNotFoundError:
        authority = Authority(b"", b"")
    return Proxied(job.told(given, authority), authority.certificate)


def _servers(scene: Scene) -> Mapping[str, object]:
    """Serve who may know the secret, and somebody else."""
    scene.ports = (listeners.secured(scene, _may_know), listeners.secured(scene, _never))
    return {
        "proxy": PROXY_PORT,
        "port": scene.ports[0],
        "other": scene.ports[1],
        "variable": KIT_KEY,
        "placeholder": PLACEHOLDER,
        "forms": [bytes((byte + 1) % 256 for byte in form).hex() for form in _forms(scene.secret.encode())],
    }


def _forms(value: bytes) -> list[bytes]:
    """Give ways to write a value: as it is, in hexadecimal, and in base64 behind anything else."""
    found = [value, value.hex().encode()]
    for before in range(3):
        whole = base64.b64encode(bytes(before) + value)
        found.append(whole[-(-before * 8 // 6) : (before + len(value)) * 8 // 6])
    return found


def _may_know(request: bytes) -> bool:
    """Tell whether the secret may be in a request: in the field and below the path that it is bound to."""
    path, shown = request.split(b" ")[1], request.lower().partition(b"\r\nx-api-key:")[2]
    return path.startswith(b"/v1/") and b".." not in path and bool(shown)


def _never(_request: bytes) -> bool:
    return False


def _watched(scene: Scene) -> Mapping[str, object]:
    """Look at the host's list of processes for the secret as well."""
    wanted = scene.secret.encode()

    def look() -> str:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    found = wanted in (process / name).read_bytes()
                except OSError:
                    continue
                if found:
                    return f"it is in the {name} of a process of the host"
        return ""

    scene.watch(look)
    return _servers(scene)


def _kept(scene: Scene, status: ExitStatus) -> str:
    """Give what was noticed, or which file of what aisbx keeps has the secret."""
    if found := noticed(scene, status):
        return found
    for path in Path(scene.root).rglob("*"):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except OSError:
            continue
        if scene.secret.encode() in data:
            return f"it was kept in {path.name}"
    return ""


ATTACKS = (
    Attack(
        id="secret:proxied/inside",
        sentence="find the secret, once it was used, in what the server shows of it, in memory, variables and files",
        stage=_servers,
        shape=with_secret,
        bears=bears,
        program=_ASK
        + """
    def memory(process):
        # What a core file has as well.
        with open("/proc/%s/maps" % process) as maps, open("/proc/%s/mem" % process, "rb", 0) as stream:
            for line in maps:
                span, rights = line.split()[:2]
                begin, end = (int(part, 16) for part in span.split("-"))
                if rights.startswith("rw"):
                    yield os.pread(stream.fileno(), end - begin, begin)

    if shown(ask_who_may_know()):
        breach("in the server's answer")
    for process in ["self", *pids()]:
        for name in ("environ", "cmdline"):
            try:
                with open("/proc/%s/%s" % (process, name), "rb") as file:
                    if shown(file.read()):
                        breach("in the %s of %s" % (name, process))
            except OSError:
                pass
        try:
            if any(shown(data) for data in memory(process)):
                breach("in the memory of %s" % process)
        except OSError:
            pass
    if not any(facts["placeholder"].encode() in data for data in memory("self")):
        raise RuntimeError("the search finds nothing, so it proves nothing")
    left_out = {"/proc", "/sys", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"}
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in left_out]
        for name in names:
            try:
                descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and shown(os.pread(descriptor, 1 << 22, 0)):
                    breach("in " + os.path.join(folder, name))
            except OSError:
                pass
            finally:
                os.close(descriptor)
""",
    ),
    Attack(
        id="secret:proxied/elsewhere",
        sentence="have the secret sent to another host or path, in another field, or without TLS",
        stage=_servers,
        shape=with_secret,
        bears=bears,
        evidence=noticed,
        program=_ASK
        + """
    ask_who_may_know()
    for path in (b"/admin", b"/v1/../admin", b"/v10", b"/?/v1/x"):
        tries(ask, port, path)
    tries(ask, port, b"/v1/x?" + key, b"X-Other")
    tries(ask, port, b"/v1/x", b"X-Other")
    for secured in (True, False):
        tries(ask, facts["other"], b"/v1/x", b"X-API-Key", secured)
    tries(ask, port, b"/v1/x", b"X-API-Key", False)
""",
    ),
    Attack(
        id="secret:proxied/outside",
        sentence="have the secret, while it is used and afterwards, in the host's list of processes or in what is kept",
        stage=_watched,
        shape=with_secret,
        bears=bears,
        evidence=_kept,
        program=_ASK
        + """
    ask_who_may_know()
    time.sleep(0.2)
""",
    ),
)

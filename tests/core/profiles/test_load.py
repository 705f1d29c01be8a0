import pytest
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.profiles import Lookup, ProfileText, load_profile
from aisbx.profiles.indexes import INDEXES
from aisbx.types import (
    LIMITS,
    Binding,
    Limit,
    LimitStrength,
    Mount,
    Network,
    NetworkMode,
    Profile,
    Secret,
    WorkspaceMode,
)

HOME = {"HOME": "/home/me"}
REQUIRED = LimitStrength.REQUIRED


def lookup(**texts: str) -> Lookup:
    return lambda name: ProfileText(name, texts[name], f"{name}.yaml", "test") if name in texts else None


def load(text: str, **others: str) -> Profile:
    return load_profile(["p"], lookup(p=text, **others), Inputs(HOME))


def test_every_key_arrives() -> None:
    found = load(
        """
description: All of it
toolchains: [python]
mounts:
  - source: /opt/data
  - {source: ~/models, target: /models, mode: rw}
environment: {A: "1", PORT: 8080}
path: [/opt/z/bin, /opt/a/bin]
workspace: cow
network: {allow: ["PyPI.example:443", "*.pypi.example", "files.pypi.example"]}
syscalls: [base, debug]
limits:
  memory: 1.5G
  wall_time: {amount: 2m, required: true}
  cpus: 0.5
  core: 0
secrets: [token, "file:api,type=proxy,target=API,host=api.example"]
preload: [pandas, numpy.linalg]
shell: /bin/zsh
"""
    )
    assert found == Profile(
        name="p",
        description="All of it",
        toolchains=frozenset({"python"}),
        mounts=(
            Mount("/home/me/models", "/models", writable=True, origin="profile p"),
            Mount("/opt/data", "/opt/data", origin="profile p"),
        ),
        environment={"A": "1", "PORT": "8080"},
        path=("/opt/a/bin", "/opt/z/bin"),
        workspace_mode=WorkspaceMode.COW,
        network=Network(NetworkMode.ALLOWLIST, ("*.pypi.example", "pypi.example:443")),
        syscalls=frozenset({"base", "debug"}),
        limits={
            "wall_time": Limit(120.0, REQUIRED),
            "memory": Limit(1.5 * 1024**3),
            "cpus": Limit(0.5),
            "core": Limit(0.0),
        },
        secrets=(
            Secret("token", target="token"),
            Secret("api", "file", placeholder="API", binding=Binding(("api.example",))),
        ),
        preload=frozenset({"numpy.linalg", "pandas"}),
        shell="/bin/zsh",
    )


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("cpu: 2", "limits: {cpus: 2}"),
        ("memory: 1G", "limits: {memory: 1G}"),
        ("timeout: 30s", "limits: {wall_time: 30s}"),
        ("network: {enabled: false}", "network: none"),
        ("network: {enabled: true, allow: [a.org], deny: ['*']}", "network: {allow: [a.org]}"),
        ("network: {allow: []}", "network: none"),
        ("network: {allow: ['@npm'], deny: [b.org, '*']}", f"network: {{allow: ['{INDEXES['npm'][0]}', deny b.org]}}"),
        ("name: p", "description: ''"),
        ("mounts: [{source: /a, target: /b, mode: ro}]", "mounts: [{source: /a, target: /b}]"),
    ],
)
def test_older_spellings_mean_the_same(older: str, newer: str) -> None:
    assert load(older) == load(newer)


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ("description: x\nmemroy: 1\n", 2, "memroy", "there is no such key"),
        ("limits:\n  ram: 1\n", 2, "limits.ram", "there is no such key"),
        ("limits:\n  pids: 4\n  memory: lots\n", 3, "limits.memory", "not a size"),
        ("limits:\n  memory: 0\n", 2, "limits.memory", "more than zero"),
        ("limits:\n  memory: -1\n", 2, "limits.memory", "not a size"),
        ("limits:\n  cpus: nan\n", 2, "limits.cpus", "not a number"),
        ("limits:\n  pids: 1.5\n", 2, "limits.pids", "whole number"),
        ("limits:\n  memory:\n    amount: 1G\n    require: true\n", 4, "limits.memory.require", "no such key"),
        ("limits:\n  memory: true\n", 2, "limits.memory", "valid"),
        ("memory: lots\n", 1, "memory", "not a size"),
        ("memory: 1G\nlimits: {memory: 2G}\n", 1, "memory", "older spelling"),
        ("workspace: rwx\n", 1, "workspace", "'ro', 'cow', 'guarded' or 'rw'"),
        ("network: allow\n", 1, "network", "'none' or 'open'"),
        ("network: true\n", 1, "network", "'none' or 'open'"),
        ("network:\n  allow: ['http://x']\n", 2, "network.allow", "has no port"),
        ("network:\n  enabled: true\n", 1, "network", "allows nothing"),
        ("network: {enabled: true, allow: []}\n", 1, "network", "allows nothing"),
        ("network: {enabled: false, allow: [a.org]}\n", 1, "network", "not enabled but"),
        ("network: {deny: [b.org]}\n", 1, "network", "denies hosts and allows none"),
        ("network: {allow: [a.org], deny: [b.org get]}\n", 1, "network.deny", "capital letters"),
        ("mounts:\n  - source: relative\n", 2, "mounts.0.source", "match"),
        ("mounts:\n  - source: /a\n    target: b\n", 3, "mounts.0.target", "match"),
        ("mounts:\n  - source: /a\n  - source: /b\n    target: /a\n", 3, "mounts.1", "already mounted"),
        ("mounts:\n  - target: /a\n", 2, "mounts.0", "required"),
        ("environment:\n  PATH: /evil\n", 1, "environment", "PATH cannot be set"),
        ("environment:\n  LD_PRELOAD: /evil.so\n", 1, "environment", "LD_PRELOAD cannot be set"),
        ("environment:\n  A: true\n", 2, "environment.A", "valid string"),
        ("environment:\n  'A=B': x\n", 2, "environment.A=B", "match"),
        ("path: [relative]\n", 1, "path.0", "match"),
        ("path: ['/a:/b']\n", 1, "path", "colon"),
        ("shell: sh\n", 1, "shell", "match"),
        ("secrets:\n  - token\n  - ../x\n", 3, "secrets.1", "a value is not the name of a secret"),
        ("secrets: ['x,type=mount']\n", 1, "secrets.0", "x: there is no type 'mount'"),
        ("secrets: [x, 'y,target=x']\n", 1, "secrets", "two are to be x"),
        ("restriction: true\nsecrets: [x]\n", 1, "", "cannot have secrets"),
        ("preload: ['os; x']\n", 1, "preload.0", "match"),
        ('preload: ["a\\nb"]\n', 1, "preload.0", "match"),
        ("extends: ../up\n", 1, "extends", "match"),
        ("name: other\n", 1, "name", "is 'other', but the profile is called 'p'"),
        ("working_dir: /w\n", 1, "working_dir", "--workspace"),
        ("driver: bwrap\n", 1, "driver", "--driver"),
        ("seccomp: strict\n", 1, "seccomp", "syscalls:"),
        ("capabilities: [NET_ADMIN]\n", 1, "capabilities", "has none"),
        ("restriction: true\ntoolchains: [python]\n", 1, "", "cannot have toolchains"),
        ("restriction: true\npreload: [numpy]\n", 1, "", "cannot have preload"),
        ("restriction: true\nmounts: [{source: /a}]\n", 1, "", "cannot have mounts"),
        ("restriction: yes\n", 1, "restriction", "valid boolean"),
        ('description: "two\\nlines"\n', 1, "description", "match"),
        ('description: "\\e[31mred"\n', 1, "description", "match"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(text: str, line: int, key: str, what: str) -> None:
    with pytest.raises(ProfileError, match=what) as caught:
        load(text)
    assert (caught.value.file, caught.value.line, caught.value.key) == ("p.yaml", line, key)
    assert "\n" not in caught.value.message


def test_a_profiles_own_words_win_over_what_it_extends() -> None:
    parent = "environment: {A: '1', B: '1'}\nlimits: {memory: 4G, pids: 9}\nnetwork: open\nworkspace: rw\nshell: /a\n"
    found = load("extends: q\nenvironment: {A: '2'}\nlimits: {memory: 1G}\nnetwork: none\nworkspace: ro\n", q=parent)
    assert found.name == "p"
    assert found.environment == {"A": "2", "B": "1"}
    assert found.limits == {"memory": Limit(1024.0**3), "pids": Limit(9.0)}
    assert (found.network, found.workspace_mode, found.shell) == (Network(), WorkspaceMode.RO, "/a")


def test_several_parents_are_composed_in_any_order() -> None:
    others = {"q": "limits: {memory: 2G}", "r": "limits: {memory: 4G}\nsyscalls: [debug]"}
    assert load("extends: [q, r]", **others) == load("extends: [r, q]", **others)
    assert load("extends: [q, r]", **others).limits["memory"].amount == 4 * 1024.0**3


def test_a_profile_that_extends_a_restriction_stays_under_it() -> None:
    found = load("extends: off\nnetwork: open\n", off="restriction: true\nnetwork: none\n")
    assert found.network == Network()
    assert found.ceiling is not None
    assert (found.name, found.ceiling.network, found.restriction) == ("p", Network(), False)


def test_a_restriction_cannot_extend_a_profile_that_gives() -> None:
    with pytest.raises(ProfileError, match="extends q, which gives"):
        load("extends: q\nrestriction: true\n", q="network: open")


@pytest.mark.parametrize(
    ("texts", "chain"),
    [
        ({"p": "extends: p"}, "p → p"),
        ({"p": "extends: q", "q": "extends: p"}, "p → q → p"),
        ({"p": "extends: q", "q": "extends: [r]", "r": "extends: [q]"}, "q → r → q"),
    ],
)
def test_a_circle_of_extends_is_shown(texts: dict[str, str], chain: str) -> None:
    with pytest.raises(ProfileError, match=chain):
        load_profile(["p"], lookup(**texts), Inputs(HOME))


def test_a_diamond_is_no_circle() -> None:
    found = load("extends: [q, r]", q="extends: s", r="extends: s", s="syscalls: [base]")
    assert found.syscalls == {"base"}


@pytest.mark.parametrize(
    ("texts", "line", "key"),
    [
        ({"p": "network: none\nextends: q"}, 2, "extends"),
        ({"p": "extends:\n- r\n- q", "r": "{}"}, 3, "extends.1"),
        ({"p": "network: none\nextends: [r]", "r": "extends: p"}, 1, "extends"),
        ({"p": "network: none\ntoolchains: [python, cobol]"}, 2, "toolchains.1"),
    ],
)
def test_what_a_file_names_and_is_not_there_is_said_by_file_line_and_key(
    texts: dict[str, str], line: int, key: str
) -> None:
    with pytest.raises(ProfileError) as refused:
        load_profile(["p"], lookup(**texts), Inputs(HOME))
    assert refused.value.file
    assert (refused.value.line, refused.value.key) == (line, key)


def test_a_name_that_is_not_found_is_said() -> None:
    with pytest.raises(ProfileError, match="no profile 'q'"):
        load("extends: q")
    with pytest.raises(ProfileError, match="no profile 'nope'"):
        load_profile(["nope"], lookup(), Inputs(HOME))


TEXTS = {
    "base": "syscalls: [base]\nlimits: {memory: 1G}",
    "big": "limits: {memory: 8G}\nnetwork: open",
    "off": "restriction: true\nnetwork: none",
    "small": "restriction: true\nlimits: {memory: 64M}",
}


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (["big+off"], ["big", "off"]),
        (["off+big"], ["big", "off"]),
        (["big", "off+big"], ["big", "off"]),
        ([], ["base"]),
        (["off"], ["base", "off"]),
        (["off+small"], ["small", "base+off"]),
    ],
)
def test_names_are_joined_with_plus_or_given_apart_in_any_order(names: list[str], same: list[str]) -> None:
    inputs = Inputs(HOME)
    assert load_profile(names, lookup(**TEXTS), inputs) == load_profile(same, lookup(**TEXTS), inputs)


def test_restrictions_alone_restrict_the_default_and_a_default_of_restrictions_restricts_base() -> None:
    inputs = Inputs(HOME)
    assert load_profile(["off"], lookup(**TEXTS), inputs, default="big").name == "big+off"
    assert load_profile(["off"], lookup(**TEXTS), inputs, default="small").name == "base+off+small"


def test_restrictions_have_the_last_word() -> None:
    found = load_profile(["big+off+small"], lookup(**TEXTS), Inputs(HOME))
    assert found.network == Network()
    assert found.limits["memory"].amount == 64 * 1024**2
    assert found.ceiling is not None
    assert found.ceiling.limits["memory"].amount == 64 * 1024**2


@pytest.mark.parametrize("names", [["a+"], ["+"], [""]])
def test_an_empty_name_is_refused(names: list[str]) -> None:
    with pytest.raises(ProfileError):
        load_profile(names, lookup(a="", **TEXTS), Inputs(HOME))


def test_each_file_is_looked_up_once() -> None:
    asked: list[str] = []
    inner = lookup(p="extends: [q, r]", q="extends: s", r="extends: s", s="syscalls: [base]")

    def counting(name: str) -> ProfileText | None:
        asked.append(name)
        return inner(name)

    load_profile(["p+q"], counting, Inputs(HOME))
    assert sorted(asked) == ["p", "q", "r", "s"]


def test_every_limit_can_be_written_in_a_profile() -> None:
    for name in LIMITS:
        assert load(f"limits: {{{name}: 1}}").limits == {name: Limit(1.0)}

"""The policy `commands`: what is refused is refused in every spelling, and what only looks like it is not."""

import os
import time
from pathlib import Path

import pytest
from aisbx.engine import Engine
from aisbx.errors import ConfigError, PolicyError
from aisbx.policy.commands import Commands
from aisbx.policy.shell import LONGEST, SECONDS
from aisbx.types import Principal, RunRequest, Stdio

from tests.core.world import World

EVERYTHING = "commands/remove-everything"
UNREADABLE = "commands/unreadable"

SPELLINGS = r"""
rm -rf /
rm -fr -- /
rm / -r -f
rm --recursive --force /
rm --rec -f /
"rm" -rf "/"
\rm -r"f" '/'
r'm' -rf /""
/bin/rm -rf /
rm${IFS}-rf${IFS}/
rm -rf //
rm -rf /.
rm -rf /tmp/../
rm -rf /*
rm -rf /[a-z]*
rm -rf $'\x2f'
rm -rf {/,a}
rm -rf ~
rm -rf "$HOME"/*
cd / && rm -rf *
cd /usr; cd ..; rm -rf ./
x=/; rm -rf $x
x=-rf y=/; rm $x "${y}"
export X=/; rm -rf $X
c='rm -rf /'; $c
if a; then x=/; fi; rm -rf $x
for d in a / b; do rm -rf "$d"; done
rm -rf ${NOT_SET:-/}
rm -rf $(echo /)
rm -rf `printf %s /`
eval "rm -rf /"
eval rm -rf /
sh -c 'rm -rf /'
bash -lc "sh -ec 'rm -rf /'"
sh -c 'rm -rf "$1"' _ /
sh -c 'rm -rf "$@"' _ /
env -i A=b rm -rf /
env -u A -- rm -rf /
env -S 'rm -rf /'
sudo -u root -- rm -rf /
timeout -k 3 5 nice -n 4 nohup rm -rf /
command exec rm -rf /
busybox rm -rf /
xargs -n1 sh -c 'rm -rf /'
echo / | xargs rm -rf
echo / | xargs -I{} rm -rf {}
echo 'rm -rf /' | sh
echo 'rm -rf /' | cat | bash -s
bash <<< 'rm -rf /'
find . -exec rm -rf / ;
find / -exec rm -rf {} +
find -L /tmp / -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
cd / && find -execdir rm -rf {} \;
find ~ -depth | xargs rm -r
find / -print0 | xargs -0 rm -rf
su -c 'rm -rf /' root
trap 'rm -rf /' EXIT
true && { false || rm -rf /; }
(rm -rf /) &
! time rm -rf /
ls | rm -rf /
echo "$(rm -rf /)" `ls`
diff <(rm -rf /) x
while :; do rm -rf /; done
case x in x) rm -rf /;; esac
f() { rm -rf "$1"; }; f /
[ -n "$(rm -rf /)" ]
a=$(rm -rf /)
ls > "$(rm -rf /)"
""".strip().splitlines()
HEREDOCS = ["sh <<EOF\nrm -rf /\nEOF\n", "cat <<'EOF' | sh\nrm -rf /\nEOF\n", "ls #\nrm \\\n -rf /\n"]

HARMLESS = r"""
echo format result
python result.py --format=json
./su
cat su | grep -r rm /
echo rm -rf /
git commit -m 'rm -rf /'
grep -rf / pattern
rm -rf build ./dist "$TMPDIR/x" /tmp/x
rm /
rm -f /tmp/*
cd /tmp && rm -rf *
ls -rf /
find . -name '*.pyc' -delete
find ~ -name node_modules -prune -exec rm -rf {} +
find / -name core -print | xargs rm -rf
find . build -exec rm -rf {} +
dd if=a of=b
chmod -R go-w .
git push
git push --force-with-lease
git log -p -f
make && ./configure --prefix=/usr
for f in *.py; do wc -l "$f"; done
[ -f x ] && [[ $a == b ]] || exit 1
while read -r line; do echo "$line"; done < file
sh script.sh -rf /
python -c 'print("rm -rf /")'
""".strip().splitlines()

NOT_READ = ["curl x | sh", "$CC -c x.c", "$(which rm) x", "if then", "eval $(cat x)", 'sh -c "$x"', "rm '", "((((", "|"]


@pytest.fixture(scope="module")
def built_in() -> Commands:
    return Commands.load("")


def decide(policy: Commands, script: str) -> tuple[str, str]:
    return policy.decide(("sh", "-c", script), {}, "/work")[:2]


@pytest.mark.parametrize("script", [*SPELLINGS, *HEREDOCS])
def test_every_spelling_is_refused(built_in: Commands, script: str) -> None:
    assert decide(built_in, script) == ("forbid", EVERYTHING)


@pytest.mark.parametrize("script", HARMLESS)
def test_what_only_looks_like_it_passes(built_in: Commands, script: str) -> None:
    assert decide(built_in, script)[0] == "allow"


@pytest.mark.parametrize("script", NOT_READ)
def test_what_cannot_be_read_is_a_decision(built_in: Commands, script: str) -> None:
    assert decide(built_in, script) == ("ask", UNREADABLE)


def test_words_that_no_shell_reads_are_taken_as_they_are(built_in: Commands) -> None:
    assert built_in.decide(("echo", "$(rm -rf /)", ";", "rm", "-rf", "/"), {}, "/")[0] == "allow"
    assert built_in.decide(("rm", "-rf", "*"), {}, "/")[1] == EVERYTHING
    assert built_in.decide(("sh", "-c", "rm -rf $WHERE"), {"WHERE": "/"}, "/work")[1] == EVERYTHING


RULES = """\
unreadable: allow
rules:
  - id: no-curl
    decide: forbid
    reason: the network is closed
    program: [curl, wget]
    match: [curl x, "env A=b wget x"]
    no_match: [echo curl]
  - id: my-pushes
    decide: allow
    program: git
    words: [push, mine]
    match: git push mine --force
"""


def test_own_rules_come_first_and_the_strictest_command_decides(tmp_path: Path) -> None:
    (tmp_path / "commands.yaml").write_text(RULES)
    policy = Commands.load(str(tmp_path))
    assert decide(policy, "ls && curl x | sh") == ("forbid", "commands/no-curl")
    assert decide(policy, "git push mine -f") == ("allow", "")
    assert decide(policy, "git push other -f; git push mine -f") == ("ask", "commands/force-push")
    assert decide(policy, "if then") == ("allow", "")
    assert decide(policy, "rm -rf /")[1] == EVERYTHING
    assert Commands.load(str(tmp_path)) is policy, "read once"
    (tmp_path / "commands.yaml").write_text("defaults: false\n")
    assert decide(Commands.load(str(tmp_path)), "rm -rf /") == ("allow", "")


WRONG = [
    ("rules:\n  - id: a\n", 2, "a decides nothing"),
    ("rules:\n  - decide: ask\n", 2, "a rule needs an id"),
    ("rules:\n  - id: a\n    decide: ask\n    regex: x\n", 4, "regex is no key of a rule"),
    ("rules:\n  - id: a\n    decide: ask\n    program: x\n", 2, "an example that it matches"),
    ("rules:\n  - {id: a, decide: ask, program: x, match: [y]}\n", 2, "does not match its example 'y'"),
    ("rules:\n\n  - {id: a, decide: ask, program: x, match: x, no_match: x}\n", 3, "matches its example 'x'"),
    ("rules:\n  - {id: force-push, decide: ask, program: x, match: x}\n", 41, "is used at"),
    ("unreadable: perhaps\n", 1, "has no such value"),
    ("unreadable: [ask]\n", 1, "has no such value"),
    ("\ndefaults: [x]\n", 2, "has no such value"),
    ("rules: []\nrules: []\n", 2, "rules is there twice"),
    ("rules:\n  - id: a\n    decide: forbid\n    decide: allow\n", 4, "decide is there twice"),
    ("rules: [\n", 2, ""),
    ("- a\n", 1, "is no table"),
]


@pytest.mark.parametrize(("text", "line", "told"), WRONG)
def test_a_rule_that_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    (tmp_path / "commands.yaml").write_text(text)
    with pytest.raises(PolicyError) as caught:
        Commands.load(str(tmp_path))
    assert told in caught.value.message
    assert f".yaml:{line}: " in caught.value.message


def test_rules_that_others_can_write_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "commands.yaml").write_text(RULES)
    os.chmod(tmp_path / "commands.yaml", 0o666)
    with pytest.raises(ConfigError):
        Commands.load(str(tmp_path))


def test_the_engine_refuses_by_it_and_says_which_rule(world: World) -> None:
    world.config('policies = ["commands"]\n')
    world.write(world.home / ".config/aisbx/commands.yaml", RULES.replace("allow", "ask", 1))
    engine = Engine({**world.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"}, str(world.project))

    def run(script: str) -> int:
        request = RunRequest(command=("sh", "-c", script), cwd=str(world.project))
        return engine.run(request, Principal("uid:7"), Stdio()).status.code

    assert run("exit 3") == 3
    with pytest.raises(PolicyError, match="commands/no-curl: the network is closed"):
        run("touch ran; curl x")
    with pytest.raises(PolicyError, match=r"commands/unreadable: .*; nobody is here to be asked"):
        run("touch ran; $x")
    assert not (world.project / "ran").exists()
    world.write(world.home / ".config/aisbx/commands.yaml", "rules: 3\n")
    with pytest.raises(PolicyError, match=r"commands\.yaml:1: "):
        run("touch ran")


@pytest.mark.parametrize(
    "script",
    [
        "(" * 20_000 + "rm -rf /",
        "$(" * 20_000,
        "{ " * 15_000,
        "sh -c '" * 4000,
        "a|" * 30_000,
        "a|" * 999,
        "a=(" * 1999,
        "x=$x$x;" * 9000,
        "rm {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b} /",
        "if a; then " * 5000 + "fi;" * 5000,
        "eval " * 9000 + "rm",
        "f() { f; f; }; f",
        "x=a;if b;then x=b;fi;if c;then x=c;fi;" + "echo $x$x$x$x$x$x;" * 9,
        "<<A <<B <<C " * 3000,
        "sudo " * 10_000 + "rm",
        "\0" * 10,
        "a" * (LONGEST + 1),
    ],
    ids=lambda script: script[:12].encode("unicode_escape").decode(),
)
def test_what_is_made_to_take_long_does_not(built_in: Commands, script: str) -> None:
    start = time.process_time()
    decide(built_in, script)
    assert time.process_time() - start < SECONDS + 2


def test_a_fork_has_no_words_to_refuse(world: World) -> None:
    assert Commands.load(str(world.home)).decide((), {}, "") == ("allow", "", "")

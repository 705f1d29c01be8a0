"""An ordinary day with Go inside `go-dev`."""

import json
import subprocess
import zipfile

import pytest

from .conftest import Project, need

PROXY = ("-e", "GOPROXY=file:///mnt/proxy", "-e", "GONOSUMDB=example.org")


@pytest.fixture(autouse=True)
def go() -> str:
    return need("go")


@pytest.fixture
def project(warm: Project) -> Project:
    warm.write("go.mod", "module example.org/day\n\ngo 1.19\n")
    return warm


def passed(said: str) -> list[str]:
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert not [line for line in lines if line["Action"] in {"fail", "skip"}], said[-4000:]
    return sorted(line["Test"] for line in lines if line["Action"] == "pass" and "Test" in line)


@pytest.mark.slow  # the standard library is compiled, once inside and once outside
def test_the_test_runner_and_all_that_it_starts_work_as_outside(project: Project, go: str) -> None:
    project.copy("go_day_test.go", "day_test.go")
    command = ("test", "-json", "./...")
    inside = passed(project.say("go-dev", "go", *command))
    # What was compiled inside serves outside as well: it is the same Go at the same place.
    environ = {**project.environ, "GOCACHE": str(project.cache / "go-build")}
    outside = subprocess.run(
        [go, *command], cwd=project.directory, env=environ, capture_output=True, text=True, check=True, timeout=200
    )
    assert inside == passed(outside.stdout)
    assert len(inside) == 10
    again = project.say("go-dev", "go", *command)
    assert "(cached)" in again, "the build cache did not survive the run"


@pytest.mark.slow  # compiles what it needs of the standard library
def test_a_fuzzer_finds_what_fails_and_keeps_it(project: Project) -> None:
    test = 'package day\nimport ("testing"; "strings")\nfunc FuzzLong(f *testing.F) {\n\tf.Add("seed")\n'
    test += "\tf.Fuzz(func(t *testing.T, text string) { if %s { t.Fatal(text) } })\n}\n"
    command = ("go", "test", "-run=^$", "-fuzz=FuzzLong", "-fuzztime=2s", ".")
    project.write("day_test.go", test % 'strings.Count(text, "") < 0')
    said = project.say("go-dev", *command)
    assert "fuzz: elapsed: 2s" in said
    assert said.splitlines()[-1].startswith("ok")
    project.write("day_test.go", test % 'text != strings.Repeat("seed", 1)')
    done = project.run("go-dev", *command)
    assert done.returncode == 1
    assert "Failing input written to testdata/fuzz/FuzzLong/" in done.stdout
    assert len(list((project.directory / "testdata/fuzz/FuzzLong").iterdir())) == 1


def test_the_race_detector_finds_a_race(project: Project) -> None:
    need("gcc")
    project.write(
        "main.go",
        "package main\nfunc main() { n, done := 0, make(chan bool); go func() { n++; done <- true }(); n++; <-done }\n",
    )
    done = project.run("go-dev", "go", "run", "-race", ".")
    assert "WARNING: DATA RACE" in done.stderr, done.stderr
    assert done.returncode == 1


def test_programs_with_c_in_them_are_built_and_installed(project: Project) -> None:
    need("gcc")
    program = "package main\n/*\nint twice(int n) { return 2 * n; }\n*/\n"
    program += 'import "C"\nfunc main() { println(C.twice(21)) }\n'
    project.write("main.go", program)
    assert project.say("go-dev", "sh", "-c", "go vet . && go install . && day 2>&1") == "42\n"
    assert project.say("go-dev", "sh", "-c", "day 2>&1; command -v day") == "42\n/var/cache/go/bin/day\n"


def test_what_one_run_downloads_the_next_builds_with_offline(project: Project) -> None:
    where = project.home / "proxy" / "example.org" / "greeting" / "@v"
    where.mkdir(parents=True)
    (where / "list").write_text("v1.0.0\n")
    (where / "v1.0.0.info").write_text('{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}')
    (where / "v1.0.0.mod").write_text("module example.org/greeting\n")
    with zipfile.ZipFile(where / "v1.0.0.zip", "w") as file:
        file.writestr("example.org/greeting@v1.0.0/go.mod", "module example.org/greeting\n")
        source = 'package greeting\nfunc Hello() string { return "hello, cache" }\n'
        file.writestr("example.org/greeting@v1.0.0/greeting.go", source)
    program = 'package main\nimport "example.org/greeting"\nfunc main() { print(greeting.Hello()) }\n'
    project.write("main.go", program)
    mount = ("--mount", f"{project.home / 'proxy'}:/mnt/proxy")
    project.say("go-dev", "go", "get", "example.org/greeting@v1.0.0", options=(*PROXY, *mount))
    assert project.say("go-dev", "sh", "-c", "go run . 2>&1") == "hello, cache"
    other = project.another("other-go")
    for name in ("go.mod", "go.sum", "main.go"):
        (other.directory / name).write_bytes((project.directory / name).read_bytes())
    refused = other.run("go-dev", "go", "build", ".")
    assert refused.returncode != 0, "another project's cache has it"
    assert "GOPROXY=off" in refused.stderr


def test_the_module_cache_can_be_removed_by_its_owner(project: Project) -> None:
    assert project.say("go-dev", "go", "env", "GOFLAGS", "GOPATH").split() == ["-modcacherw", "/var/cache/go"]


def test_a_debugger_works_where_it_is_allowed_by_name_and_not_otherwise(project: Project) -> None:
    need("gdb")
    project.write("main.go", 'package main\nfunc main() { println("here") }\n')
    config = project.home / ".config/aisbx/profiles/go-debug.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("description: Go under a debugger\nextends: go-dev\nsyscalls: [debug]\n")
    script = "go build -o app . && gdb -batch -ex 'break main.main' -ex run -ex bt ./app 2>&1"
    assert "main.main" in project.say("go-debug", "sh", "-c", script).split("Breakpoint 1, ")[1]
    refused = project.run("go-dev", "sh", "-c", script)
    assert "Breakpoint 1, " not in refused.stdout
    assert "ptrace" in refused.stdout


def test_delve_works_where_it_is_allowed_by_name_and_not_otherwise(project: Project) -> None:
    need("dlv")
    source = "package main\n\nfunc twice(n int) int {\n\treturn 2 * n\n}\n\nfunc main() { println(twice(21)) }\n"
    project.write("main.go", source)
    config = project.home / ".config/aisbx/profiles/go-debug.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("description: Go under a debugger\nextends: go-dev\nsyscalls: [debug]\n")
    project.write("commands", "break main.twice\ncontinue\nargs\nstack\ngoroutines\ncontinue\nexit\n")
    debug = ("sh", "-c", "dlv debug --allow-non-terminal-interactive=true --init commands . </dev/null 2>&1")
    said = project.say("go-debug", *debug)
    assert "main.twice() ./main.go:3 (hits goroutine(1):1 total:1)" in said
    assert "n = 21\n" in said
    assert "* Goroutine 1" in said
    assert "42\n" in said
    refused = project.run("go-dev", *debug)
    assert refused.returncode == 1
    assert "operation not permitted" in refused.stdout

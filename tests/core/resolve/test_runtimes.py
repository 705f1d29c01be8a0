"""Runtimes are told their share: in words that the real ones understand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from aisbx.resolve.runtimes import told
from aisbx.types import Limit

GIB = 1 << 30
LIMITS = {"memory": Limit(GIB), "cpus": Limit(0.5)}
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
PROGRAM = """
package main
import ("runtime"; "runtime/debug")
func main() { println(debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0)) }
"""


def run(*command: str, environ: dict[str, str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout + done.stderr


def test_without_a_limit_nothing_is_told() -> None:
    assert told({"pids": Limit(5)}) == {}


def test_each_limit_is_told_alone() -> None:
    assert told({"cpus": Limit(1.5)}) == {"GOMAXPROCS": "2", "JAVA_TOOL_OPTIONS": "-XX:ActiveProcessorCount=2"}
    assert told({"memory": Limit(GIB)}) == {
        "GOMEMLIMIT": "966367641B",
        "NODE_OPTIONS": "--max-old-space-size=768",
        "JAVA_TOOL_OPTIONS": "-XX:MaxRAM=1073741824",
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_takes_its_heap_from_it() -> None:
    shown = run("node", "-p", "require('v8').getHeapStatistics().heap_size_limit", environ=told(LIMITS))
    assert GIB // 2 < int(shown) < GIB


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
def test_java_takes_its_heap_and_its_processors_from_it() -> None:
    shown = run("java", "-XX:+PrintFlagsFinal", "-version", environ=told(LIMITS))
    flags = dict(re.findall(r"(\w+) +:?= (\d+)", shown))
    assert (flags["MaxHeapSize"], flags["ActiveProcessorCount"]) == (str(GIB // 4), "1")


@pytest.mark.skipif(GO is None, reason="go is not installed")
def test_go_takes_its_limit_and_its_processors_from_it(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(PROGRAM)
    places = {"GOCACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    run(str(GO), "build", "-o", "share", "main.go", cwd=tmp_path, environ=places)
    assert run("./share", cwd=tmp_path, environ=told(LIMITS)) == "966367641 1\n"

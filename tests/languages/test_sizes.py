"""Runtimes size themselves to the limits of the sandbox, which they can't see: each with its real toolchain."""

import json
from typing import Any

import pytest

from .conftest import Project, need

GIB = 1 << 30
LIMITS = {"AISBX_LIMITS__MEMORY": "1G", "AISBX_LIMITS__CPUS": "1"}
"""As a default of the user's own: an ordinary user without a cgroup has them told as well."""

JAVA = """import java.util.*;
public class Size {
    public static void main(String[] arguments) {
        System.out.println(Runtime.getRuntime().maxMemory() + " " + Runtime.getRuntime().availableProcessors());
        List<byte[]> held = new ArrayList<>();
        try {
            while (true) held.add(new byte[1 << 20]);
        } catch (OutOfMemoryError error) {
            int count = held.size();
            held = null;
            System.out.println(count);
        }
    }
}
"""
NODE = """
const statistics = require("v8").getHeapStatistics();
console.log(statistics.heap_size_limit);
const held = [];
for (;;) held.push(new Array(1 << 16).fill(held.length));
"""
# Without a collector by growth: what keeps its garbage below the limit is that it was told of it.
GO = """package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

var kept []byte

func main() {
	debug.SetGCPercent(-1)
	for n := 0; n < 768; n++ {
		kept = make([]byte, 4<<20)
		for at := 0; at < len(kept); at += 4096 {
			kept[at] = 1
		}
	}
	fmt.Println(debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0))
}
"""


def outcome(project: Project, profile: str, *command: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    done = project.run(profile, *command, options=("--json", *options), environ=LIMITS)
    return json.loads(done.stdout)


def test_javas_heap_is_a_quarter_and_full_before_the_sandbox_is(project: Project) -> None:
    need("javac")
    project.write("Size.java", JAVA)
    told = outcome(project, "java-dev", "sh", "-euc", "javac Size.java && java -cp . Size")
    assert told["exit_code"] == 0, told
    heap, processors, held = map(int, told["stdout"]["text"].split())
    assert 0.2 * GIB < heap <= 0.26 * GIB
    assert (processors, told["oom_killed"]) == (1, False)
    assert 100 < held < 256


def test_nodes_heap_is_full_before_the_sandbox_is(project: Project) -> None:
    need("node")
    project.write("size.js", NODE)
    told = outcome(project, "node-dev", "node", "size.js")
    assert 0.7 * GIB < int(told["stdout"]["text"]) < 0.9 * GIB
    assert "heap out of memory" in told["stderr"]["text"]
    assert (told["signal"], told["oom_killed"]) == (6, False)


@pytest.mark.slow  # compiles
def test_gos_collector_keeps_three_times_the_limit_of_garbage_within_it(warm: Project) -> None:
    need("go")
    warm.write("go.mod", "module example.org/size\n\ngo 1.19\n")
    warm.write("main.go", GO)
    warm.say("go-dev", "go", "build", "-o", "size", ".")
    told = outcome(warm, "go-dev", "./size")
    assert told["exit_code"] == 0, told["stderr"]["text"][-2000:]
    assert told["stdout"]["text"] == f"{GIB * 9 // 10} 1\n"
    assert told["oom_killed"] is False
    untold = outcome(warm, "go-dev", "./size", options=("-e", "GOMEMLIMIT=off"))
    assert untold["exit_code"] != 0, "without being told it must run out of memory, or this proves nothing"

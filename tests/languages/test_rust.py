"""An ordinary day with Rust inside `rust-dev`."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import Project, need

MANIFEST = '[package]\nname = "day"\nversion = "0.1.0"\nedition = "2021"\n'
LIBRARY = """
/// Twice as much.
///
/// ```
/// assert_eq!(day::twice(21), 42);
/// ```
pub fn twice(n: i32) -> i32 {
    2 * n
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_twice() {
        assert_eq!(super::twice(2), 4);
    }
}
"""
RUSTUP = Path(os.environ.get("RUSTUP_HOME", "~/.rustup")).expanduser()
CARGO = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))


@pytest.fixture
def project(warm: Project) -> Project:
    """A crate, and the Rust of whoever runs the tests: rustup's where they have it, else the system's."""
    need("cargo", f"{CARGO}/bin")
    if (RUSTUP / "toolchains").is_dir():
        warm.environ["RUSTUP_HOME"] = str(RUSTUP)
    warm.write("Cargo.toml", MANIFEST)
    warm.write("src/lib.rs", LIBRARY)
    return warm


def passed(said: str) -> list[str]:
    rows = re.findall(r"^test (.+?) \.\.\. (\w+)$", said, re.MULTILINE)
    assert {verdict for _, verdict in rows} == {"ok"}, said[-4000:]
    return sorted(re.sub(r" \(line \d+\)", "", name) for name, _ in rows)


@pytest.mark.slow  # compiles
def test_the_test_runner_and_all_that_it_starts_work_as_outside(project: Project) -> None:
    project.copy("rust_day.rs", "tests/day.rs")
    inside = passed(project.say("rust-dev", "cargo", "test"))
    # The same Rust as inside, where rustup's comes first: another one may not read what it has written.
    own = f"{CARGO}/bin/cargo"
    cargo = own if os.access(own, os.X_OK) else need("cargo")
    environ = {**project.environ, "PATH": f"{CARGO}/bin:{project.environ['PATH']}", "CARGO_NET_OFFLINE": "true"}
    outside = subprocess.run(
        [cargo, "test"], cwd=project.directory, env=environ, capture_output=True, text=True, check=True, timeout=200
    )
    assert inside == passed(outside.stdout)
    assert len(inside) == 9


def test_a_program_is_built_run_and_installed_for_later_runs(project: Project) -> None:
    project.write("src/main.rs", 'fn main() { println!("{}", day::twice(21)); }\n')
    script = (
        "cargo run --quiet && cargo build --quiet --release && ./target/release/day && cargo install --quiet --path ."
    )
    assert project.say("rust-dev", "sh", "-euc", script) == "42\n42\n"
    assert project.say("rust-dev", "sh", "-c", "day; command -v day") == "42\n/var/cache/cargo/bin/day\n"


def test_benchmarks_and_documentation_are_made_offline(project: Project) -> None:
    project.write("Cargo.toml", f'{MANIFEST}[[bench]]\nname = "speed"\nharness = false\n')
    project.write("benches/speed.rs", 'fn main() { println!("{}", (0..1000).map(day::twice).sum::<i32>()); }\n')
    assert project.say("rust-dev", "cargo", "bench", "--offline", "--quiet", "--bench", "speed") == "999000\n"
    project.say("rust-dev", "cargo", "doc", "--offline", "--quiet")
    assert "Twice as much." in (project.directory / "target/doc/day/fn.twice.html").read_text()


def test_what_one_run_fetches_the_next_builds_with_offline(project: Project) -> None:
    need("git")
    crate = project.home / "greeting"
    if not crate.exists():
        (crate / "src").mkdir(parents=True)
        (crate / "Cargo.toml").write_text(MANIFEST.replace("day", "greeting"))
        (crate / "src/lib.rs").write_text('pub fn hello() -> &\'static str { "hello, cache" }\n')
        script = "git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm first"
        subprocess.run(["sh", "-euc", script], cwd=crate, env=project.environ, check=True, timeout=60)
    project.write("Cargo.toml", f'{MANIFEST}[dependencies]\ngreeting = {{ git = "file:///mnt/greeting" }}\n')
    project.write("src/main.rs", 'fn main() { println!("{}", greeting::hello()); }\n')
    mount = ("--mount", f"{crate}:/mnt/greeting", "-e", "CARGO_NET_OFFLINE=false")
    project.say("rust-dev", "cargo", "fetch", options=mount)
    assert project.say("rust-dev", "cargo", "run", "--quiet") == "hello, cache\n"
    other = project.another("other-rust")
    for name in ("Cargo.toml", "Cargo.lock", "src/main.rs"):
        other.write(name, (project.directory / name).read_text())
    refused = other.run("rust-dev", "cargo", "build")
    assert refused.returncode != 0, "another project's cache has it"
    assert "offline" in refused.stderr


def test_cargo_says_at_once_that_there_is_no_network(project: Project) -> None:
    project.write("Cargo.toml", f'{MANIFEST}[dependencies]\nrand = "0.8"\n')
    done = project.run("rust-dev", "cargo", "build", options=("-t", "60s"))
    assert done.returncode == 101
    assert "offline" in done.stderr


def test_a_debugger_works_where_it_is_allowed_by_name_and_not_otherwise(project: Project) -> None:
    need("gdb")
    project.write("src/main.rs", 'fn main() { println!("{}", day::twice(21)); }\n')
    config = project.home / ".config/aisbx/profiles/rust-debug.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("description: Rust under a debugger\nextends: rust-dev\nsyscalls: [debug]\n")
    script = "cargo build --quiet && gdb -batch -ex 'break day::twice' -ex run -ex bt ./target/debug/day 2>&1"
    assert "day::twice" in project.say("rust-debug", "sh", "-c", script).split("Breakpoint 1, ")[1]
    refused = project.run("rust-dev", "sh", "-c", script)
    assert "Breakpoint 1, " not in refused.stdout
    assert "ptrace" in refused.stdout

"""An ordinary day with Java inside `java-dev`."""

import os
import subprocess

import pytest

from .conftest import Project, need

JVM = "/usr/lib/jvm"


@pytest.fixture(autouse=True)
def javac() -> str:
    return need("javac")


def test_threads_servers_children_locks_and_terminals_work_as_outside(project: Project, javac: str) -> None:
    project.copy("Day.java")
    assert javac
    inside = project.say("java-dev", "sh", "-euc", "javac Day.java && java -cp . Day")
    outside = subprocess.run(
        ["java", "-cp", ".", "Day"],
        cwd=project.directory,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert inside == outside.stdout
    assert inside.count(" works\n") == 9


def test_a_jar_is_made_and_run_and_java_home_names_the_jdk_that_runs(project: Project) -> None:
    project.write(
        "app/Main.java",
        "package app; public class Main { public static void main(String[] a) {"
        ' System.out.println(System.getProperty("java.home").equals(System.getenv("JAVA_HOME"))); } }',
    )
    script = (
        "javac -d out app/Main.java && jar --create --file app.jar --main-class app.Main -C out . && java -jar app.jar"
    )
    assert project.say("java-dev", "sh", "-euc", script) == "true\n"


def test_all_that_a_jvm_prints_besides_is_that_it_was_told_its_share(project: Project, javac: str) -> None:
    assert javac
    source = (
        "public class Out { public static void main(String[] a) { System.out.print(1); System.err.println(2); } }\n"
    )
    project.write("Out.java", source)
    command = ("java", "Out.java")
    inside = project.run("java-dev", *command)
    outside = subprocess.run(
        command, cwd=project.directory, env=project.environ, capture_output=True, text=True, check=True
    )
    first, _, rest = inside.stderr.partition("\n")
    assert first == f"Picked up JAVA_TOOL_OPTIONS: -XX:MaxRAM={4 << 30}"
    assert (inside.stdout, rest) == (outside.stdout, outside.stderr) == ("1", "2\n")
    without = project.run("java-dev", "env", "-u", "JAVA_TOOL_OPTIONS", *command)
    assert (without.stdout, without.stderr) == (outside.stdout, outside.stderr)


def test_jshell_jcmd_and_the_debugger_of_java_work_without_ptrace(project: Project) -> None:
    source = "public class Loop { public static void main(String[] a) throws Exception { int answer = 42;\n"
    project.write("Loop.java", source + "Thread.sleep(200); System.out.println(answer); Thread.sleep(60000); } }\n")
    assert "42" in project.say("java-dev", "sh", "-c", "echo 'System.out.println(6 * 7)' | jshell -s -")
    script = "javac -g Loop.java; java Loop & sleep 3; jcmd $! VM.version; jstack $! | grep -c 'main'; kill $!"
    said = project.say("java-dev", "sh", "-c", script)
    assert "JDK" in said
    commands = r"printf 'stop at Loop:2\nrun\n'; sleep 4; printf 'locals\n'; sleep 1; printf 'exit\n'"
    assert "answer = 42" in project.say("java-dev", "sh", "-c", f"({commands}) | jdb Loop")


@pytest.mark.parametrize("home", sorted(os.listdir(JVM)) if os.path.isdir(JVM) else [])
def test_every_jdk_of_the_system_works_as_java_home(home: str, project: Project) -> None:
    where = os.path.join(JVM, home)
    if not os.path.exists(f"{where}/bin/javac"):
        assert home.startswith((".", "openjdk-")), "a directory of Debian's with sources or notes only"
        return
    project.environ["JAVA_HOME"] = where
    project.write(
        "M.java",
        "public class M { public static void main(String[] a) throws Exception {"
        ' System.out.println(java.security.Security.getProperty("keystore.type"));'
        " java.net.http.HttpClient.newHttpClient(); System.exit(0); } }",
    )
    assert project.say("java-dev", "sh", "-euc", "javac M.java && java M") == "pkcs12\n"
    assert os.path.realpath(where) == project.say("java-dev", "printenv", "JAVA_HOME").strip()


@pytest.mark.slow  # downloads what Maven builds with, once
def test_what_maven_downloads_in_one_run_the_next_tests_and_packs_with_offline(project: Project) -> None:
    need("mvn")
    project.copy("maven", ".")
    mvn = ("mvn", "--batch-mode", "--no-transfer-progress")
    project.say("java-dev", *mvn, "clean", "package", options=("--network", "open"))
    said = project.say("java-dev", *mvn, "--offline", "clean", "package")
    assert "Tests run: 1, Failures: 0, Errors: 0, Skipped: 0" in said
    other = project.another("other")
    (other.directory / "pom.xml").write_bytes((project.directory / "pom.xml").read_bytes())
    refused = other.run("java-dev", *mvn, "--offline", "package")
    assert refused.returncode == 1, "another project's cache has it"
    assert "offline" in refused.stdout


@pytest.mark.slow  # downloads what the tests need, once, and Gradle starts a daemon and a worker for each build
def test_what_gradle_downloads_in_one_run_the_next_builds_and_tests_with_offline(project: Project) -> None:
    need("gradle")
    project.copy("gradle", ".")
    project.copy("maven/src", "src")
    project.say("java-dev", "gradle", "testClasses", options=("--network", "open"))
    said = project.say("java-dev", "gradle", "--offline", "clean", "build")
    assert "day.TwiceTest > isTwice PASSED" in said
    assert "BUILD SUCCESSFUL" in said
    assert (project.directory / "build/libs/day.jar").is_file()

"""What people do all day runs under `base` as it does without a filter."""

import os
import re
import shutil
import subprocess

import pytest

from .support import PYTHON, SCRATCH, bwrap, confined

WORK = os.path.join(os.path.dirname(__file__), "work")
# No capabilities, as in a sandbox; the attacks beside this file keep them to show that the filter is what refuses.
LIKE_A_SANDBOX = ("--cap-drop", "ALL")


def day(argv: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    return confined(argv, "base", options=(*LIKE_A_SANDBOX, *options))


def succeeds(argv: list[str], *options: str) -> str:
    done = day(argv, *options)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    return done.stdout


def shell(script: str, *options: str) -> str:
    return succeeds(["bash", "-euc", script], *options)


def need(tool: str) -> str:
    """Give the path of a tool; what is not on this machine cannot be tried here."""
    found = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/local/go/bin")
    if found is None:
        pytest.skip(f"{tool} is not on this machine")
    return found


with open(os.path.join(WORK, "python.py"), encoding="utf-8") as _file:
    PIECES = re.findall(r"^def (\w+)\(\) -> None:", _file.read(), re.MULTILINE)


@pytest.mark.parametrize("piece", PIECES)
def test_python_works(piece: str) -> None:
    succeeds([PYTHON, "-I", "-X", "dev", os.path.join(WORK, "python.py"), piece])


def test_git_works() -> None:
    need("git")
    said = shell(
        """
        export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git init -q one; cd one; echo x > file; git add .; git commit -qm first; git gc -q
        git worktree add -q ../two; git stash list; git clone -q . ../three; cd ../three
        git checkout -qb topic; echo y >> file; git stash -q; git stash pop -q; git commit -qam second
        git remote add other ../one; git push -qu other topic; git fsck --no-progress; git log --oneline | wc -l
        """
    )
    assert said.splitlines()[-1].strip() == "2"


def test_shells_and_the_everyday_tools_work() -> None:
    said = shell(
        """
        mkdir -p a/b; seq 1000 > a/b/c; cp -a a d; tar cf - a | tar xf - -C d; mv d e; ln -s a l; install -m 755 a/b/c f
        find . -name c -exec sha256sum {} + | sort > sums; xargs -n1 -P2 echo < a/b/c | wc -l; grep -rc 7 a
        sed -i s/1/2/ f; awk '{s += $1} END {print s}' a/b/c; touch -d yesterday f; du -s . > du; df . > df
        (sleep 60 & kill %1; wait) 2>/dev/null || true; trap 'echo trapped' EXIT; timeout 5 true; nice true; rm -r e
        coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
        """
    )
    assert said.splitlines() == ["1000", "a/b/c:271", "500500", "through", "trapped"]


def test_gcc_builds_and_threads_run() -> None:
    need("gcc")
    assert shell(f"gcc -O1 -pthread {WORK}/threads.c -o threads && ./threads") == "joined\n"


def test_node_serves_http_over_both_families_and_works_with_workers() -> None:
    assert succeeds([need("node"), os.path.join(WORK, "server.js")]) == "all done\n"


@pytest.mark.slow  # the standard library is compiled, as there is no cache inside
def test_go_builds_and_serves() -> None:
    go = need("go")
    program = """
        package main
        import ("fmt"; "io"; "net"; "os"; "os/exec"; "os/signal"; "sync"; "time")
        func main() {
            for _, host := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
                listener, err := net.Listen("tcp", host); if err != nil { panic(err) }
                go func() { c, _ := listener.Accept(); fmt.Fprint(c, "served"); c.Close() }()
                client, err := net.Dial("tcp", listener.Addr().String()); if err != nil { panic(err) }
                body, _ := io.ReadAll(client); fmt.Println(string(body))
            }
            var all sync.WaitGroup
            for i := 0; i < 100; i++ { all.Add(1); go func() { time.Sleep(time.Millisecond); all.Done() }() }
            all.Wait(); signal.Notify(make(chan os.Signal, 1), os.Interrupt)
            if err := exec.Command("true").Run(); err != nil { panic(err) }
        }
    """
    said = shell(
        f"mkdir m; cd m; cat > main.go <<'E'\n{program}\nE\n{go} mod init m 2>/dev/null; {go} build -o m . && ./m",
        *("--setenv", "GOCACHE", f"{SCRATCH}/cache", "--setenv", "GOTOOLCHAIN", "local"),
    )
    assert said == "served\n" * 3


def test_rust_builds_and_runs() -> None:
    rustc = need("rustc")
    program = """
        use std::{io::{Read, Write}, net::*, thread, process::Command};
        fn main() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let to = listener.local_addr().unwrap();
            let client = thread::spawn(move || { TcpStream::connect(to).unwrap().write_all(b"sent").unwrap(); });
            let mut got = String::new();
            listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
            client.join().unwrap();
            assert!(Command::new("true").status().unwrap().success());
            println!("{got}");
        }
    """
    toolchains = os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))
    script = f"cat > m.rs <<'E'\n{program}\nE\n{rustc} -O m.rs && ./m"
    assert shell(script, "--setenv", "RUSTUP_HOME", toolchains) == "sent\n"


def test_java_runs_threads_and_serves() -> None:
    java = need("java")
    program = """
        import com.sun.net.httpserver.HttpServer;
        import java.net.*; import java.net.http.*; import java.util.stream.*;
        public class M { public static void main(String[] a) throws Exception {
            var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, 6);
                exchange.getResponseBody().write("served".getBytes());
                exchange.close();
            });
            server.start();
            var uri = URI.create("http://localhost:" + server.getAddress().getPort() + "/");
            var request = HttpRequest.newBuilder(uri).build();
            System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
            System.out.println(IntStream.range(0, 1000).parallel().sum());
            System.out.println(new ProcessBuilder("true").start().waitFor());
            System.exit(0);
        } }
    """
    assert shell(f"cat > M.java <<'E'\n{program}\nE\n{java} -Xmx256m M.java").splitlines() == ["served", "499500", "0"]


def test_a_debugger_works_with_the_group_debug_and_not_without() -> None:
    need("strace")
    argv = ["strace", "-f", "-o", "trace", "sh", "-c", "true; echo ran"]
    assert confined(argv, "base", "debug", options=LIKE_A_SANDBOX).stdout == "ran\n"
    refused = confined(argv, "base", options=LIKE_A_SANDBOX)
    assert refused.returncode != 0
    assert bwrap(argv).stdout == "ran\n"

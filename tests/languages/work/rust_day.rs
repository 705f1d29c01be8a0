//! An ordinary day with Rust: every piece is what real projects do, and behaves inside as it does outside.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::{mpsc, Arc, Mutex};
use std::{env, fs, process, thread};

fn scratch(name: &str) -> std::path::PathBuf {
    let place = env::temp_dir().join(format!("day-{}-{}", process::id(), name));
    fs::create_dir_all(&place).unwrap();
    place
}

#[test]
fn threads_share_and_talk() {
    let sum = Arc::new(Mutex::new(0));
    let (send, receive) = mpsc::channel();
    let all: Vec<_> = (0..100)
        .map(|n| {
            let (sum, send) = (Arc::clone(&sum), send.clone());
            thread::spawn(move || {
                *sum.lock().unwrap() += n;
                send.send(n).unwrap();
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    drop(send);
    assert_eq!((*sum.lock().unwrap(), receive.iter().count()), (4950, 100));
}

#[test]
fn serves_over_both_families() {
    for host in ["127.0.0.1:0", "[::1]:0", "localhost:0"] {
        let listener = TcpListener::bind(host).unwrap();
        let to = listener.local_addr().unwrap();
        let client = thread::spawn(move || TcpStream::connect(to).unwrap().write_all(b"sent").unwrap());
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        client.join().unwrap();
        assert_eq!(got, "sent");
    }
    let (mut one, mut other) = UnixStream::pair().unwrap();
    one.write_all(b"x").unwrap();
    other.read_exact(&mut [0]).unwrap();
}

#[test]
fn children_run_and_end() {
    let said = Command::new("sh").args(["-c", "echo $((6 * 7))"]).output().unwrap();
    assert_eq!(said.stdout, b"42\n");
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    sleeper.kill().unwrap();
    assert!(!sleeper.wait().unwrap().success());
}

#[test]
fn fifty_megabytes_go_through_a_pipe() {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut into = cat.stdin.take().unwrap();
    let writer = thread::spawn(move || into.write_all(&vec![b'x'; 50 << 20]).unwrap());
    let mut got = Vec::new();
    cat.stdout.take().unwrap().read_to_end(&mut got).unwrap();
    writer.join().unwrap();
    assert_eq!(got.len(), 50 << 20);
    assert!(cat.wait().unwrap().success());
}

#[test]
fn a_lock_keeps_others_out() {
    let file = scratch("lock").join("lock");
    let mut holder = Command::new("flock")
        .arg(&file)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let free = |expected| {
        let status = Command::new("flock").arg("-n").arg(&file).arg("true").status().unwrap();
        assert_eq!(status.success(), expected);
    };
    free(false);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    free(true);
}

#[test]
fn a_terminal_is_one() {
    let said = Command::new("script")
        .args(["-qec", "test -t 0 && test -t 1 && echo terminal", "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("terminal"));
}

#[test]
fn names_are_unicode() {
    let place = scratch("names");
    fs::write(place.join("näme-日本-🦊"), "ok").unwrap();
    let name = fs::read_dir(&place).unwrap().next().unwrap().unwrap().file_name();
    assert_eq!(name, "näme-日本-🦊");
}

//! A stock `ssh` client against the agent: what the agent allows and what it refuses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fargate_tests::{CheckedHost, PATIENCE, have, mark, process, until};

use crate::openssh_client::DebugLogin;
use crate::quiet_address;

#[tokio::test]
async fn it_runs_commands_as_with_any_ssh_server() {
    if !have("ssh") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ssh = DebugLogin::to(&site, &job);
    for code in [0, 1, 7, 127, 255] {
        let command = format!("printf out; printf err >&2; exit {code}");
        let ended = ssh.start(&[], &[&command]).ended().await.with_code(code);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out", "err"), "{code}");
    }
    // The environment is the script's own: no variable of the agent.
    let ended = ssh.start(&[], &["env"]).ended().await.with_code(0);
    assert!(ended.out().contains("\nPATH="), "{}", ended.out());
    for name in ["SSH_PUBLIC_KEY", "FARGATE_RUNNER"] {
        assert!(!ended.out().contains(name), "{}", ended.out());
    }
    // A client may not set variables either.
    let set = ["-o", "SetEnv=LD_PRELOAD=/tmp/x.so"];
    let ended = ssh.start(&set, &["echo ${LD_PRELOAD:-unset}"]).ended().await;
    assert_eq!(ended.out(), "unset\n");
    let large = ssh.start(&[], &["seq 200000"]).ended().await.with_code(0);
    assert!(large.out() == (1..=200_000).map(|n| format!("{n}\n")).collect::<String>());
    // A debugging session beside a job does not disturb it.
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn what_a_client_left_running_ends_with_its_connection() {
    if !have("ssh") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mark = mark("left-by-ssh");
    let command = format!("echo up; exec bash -c 'exec -a {mark} sleep 1000'");
    let mut running = DebugLogin::to(&site, &job).start(&[], &[&command]);
    running.wrote("up").await;
    until("it runs", || process(&mark).is_some()).await;
    drop(running);
    until("it ended", || process(&mark).is_none()).await;
    site.close().await;
}

#[tokio::test]
async fn a_wrong_user_key_or_password_is_refused() {
    if !have("ssh") || !have("ssh-keygen") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ssh = DebugLogin::to(&site, &job);
    for user in ["admin", "ROOT"] {
        let ended = ssh.start_as(user).ended().await.with_code(255);
        assert!(ended.err().contains("Permission denied (publickey)"), "{}", ended.err());
    }
    let methods = "PreferredAuthentications=password,keyboard-interactive,hostbased";
    let ended = ssh.start(&["-o", methods], &["true"]).ended().await.with_code(255);
    assert!(ended.err().contains("Permission denied (publickey)"), "{}", ended.err());
    // Keys of others.
    let folder = site.folder().join("runner");
    for kind in ["ed25519", "ecdsa"] {
        let path = folder.join(kind).display().to_string();
        let made = ["-q", "-t", kind, "-N", "", "-f", &path];
        job.start_other("ssh-keygen", &made).ended().await.passed();
        let key = std::fs::read_to_string(&path).expect("a key");
        let state = job.state().expect("a state file");
        let address = state["address"].as_str().expect("an address");
        let (host, port) = address.split_once(':').expect("a port");
        let host_key = state["host_key"].as_str().expect("a host key");
        let other = DebugLogin::with(&site, &job, &key, host_key, host, port);
        let ended = other.start(&[], &["true"]).ended().await.with_code(255);
        assert!(ended.err().contains("Permission denied"), "{}", ended.err());
    }
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn nothing_is_forwarded_in_either_direction() {
    if !have("ssh") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ssh = DebugLogin::to(&site, &job);
    let forbidden = TcpListener::bind("127.0.0.1:0").expect("a free port");
    forbidden.set_nonblocking(true).expect("a socket of ours");
    let target = forbidden.local_addr().expect("a bound socket");
    // -W: standard input and output to somewhere.
    let ended = ssh.start(&["-W", &target.to_string()], &[]).ended().await;
    assert_ne!(ended.code, 0);
    assert_eq!(ended.out(), "");
    // -L: a socket here to somewhere there.
    let socket = site.folder().join("forward");
    let forward = format!("{}:{target}", socket.display());
    let mut running = ssh.start(&["-L", &forward], &["echo up; sleep 1000"]);
    running.wrote("up").await;
    let mut stream = UnixStream::connect(&socket).expect("ssh listens here itself");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
    // Off this thread: the cloud and the pipes live on it.
    let read = tokio::task::spawn_blocking(move || stream.read(&mut [0; 1])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    drop(running);
    std::fs::remove_file(&socket).ok();
    // -D: a SOCKS proxy.
    let (host, port) = quiet_address(&site);
    let proxy = format!("{host}:{port}");
    let mut running = ssh.start(&["-D", &proxy], &["echo up; sleep 1000"]);
    running.wrote("up").await;
    let mut stream = TcpStream::connect(&proxy).expect("ssh listens here itself");
    let [high, low] = target.port().to_be_bytes();
    stream.write_all(&[4, 1, high, low, 127, 0, 0, 1, 0]).expect("a SOCKS request");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket of ours");
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    let answer = answer.await.expect("no panic");
    // 90 is SOCKS's word for granted.
    assert_ne!(answer.get(1), Some(&90), "{answer:?}");
    drop(running);
    // -R: a port there to somewhere here.
    let back = format!("0:{target}");
    let options = ["-o", "ExitOnForwardFailure=yes", "-R", &back];
    let ended = ssh.start(&options, &["true"]).ended().await.with_code(255);
    assert!(ended.err().contains("remote port forwarding failed"), "{}", ended.err());
    let reached = forbidden.accept();
    assert!(reached.is_err(), "somebody came through: {reached:?}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn stray_connections_and_garbage_do_not_end_the_task() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let address = state["address"].as_str().expect("an address").to_owned();
    let garbage: [&[u8]; 6] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff",
        &[0; 70_000],
    ];
    let mut open = Vec::new();
    for n in 0..30 {
        let mut stream = TcpStream::connect(&address).expect("the agent listens");
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a socket of ours");
        // It may hang up in the middle of it.
        let _ = stream.write_all(garbage[n % garbage.len()]);
        open.push(stream);
    }
    job.run("echo still here").await.passed();
    drop(open);
    job.run("echo still here").await.passed();
    assert_eq!(site.task_of(&job).last_status, "RUNNING");
    site.close().await;
}

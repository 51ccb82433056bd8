//! An engine that is reached by TCP: a test runs where this host has a way to the containers, and says so where it
//! has none.

use std::process::{Command, Stdio};

use fargate_tests::{have, runner, skip};

use crate::test_site::{AGENT, SmokeTestOutput, TestSite, site};

/// Listens for the engine's clients in its own network, passes them on to the engine's socket, and runs a command
/// with that `DOCKER_HOST`.
const FORWARDER: &str = r#"
import os, socket, subprocess, sys, threading

def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)

def serve(client):
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(sys.argv[1])
    back = threading.Thread(target=copy, args=(engine, client), daemon=True)
    back.start()
    copy(client, engine)
    back.join()

def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

threading.excepthook = lambda _: None
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
address = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
done = subprocess.run(sys.argv[2:], env={**os.environ, "DOCKER_HOST": address})
sys.exit(done.returncode)
"#;

/// `image test` of the image with the agent. `before` stands before the forwarder.
fn by_tcp(site: &TestSite, before: &[&str]) -> SmokeTestOutput {
    let words = [before, &["python3", "-c", FORWARDER]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(site.engine.docker_host().trim_start_matches("unix://"));
    command.arg(runner()).arg("--config").arg(site.path("config.toml"));
    command.args(["image", "test", "far", "--image-id", AGENT]).stdin(Stdio::null());
    SmokeTestOutput(command.output().expect("a program that can be started"))
}

fn may_make_networks() -> bool {
    let made = Command::new("unshare").args(["--net", "true"]).output();
    made.is_ok_and(|made| made.status.success())
}

#[test]
fn an_engine_by_tcp_whose_containers_this_host_reaches_tests_an_image() {
    let Some(site) = site() else { return };
    if !have("python3") || !have("ip") {
        return;
    }
    let passed = by_tcp(&site, &["env"]).with_code(0);
    assert!(passed.err().contains("smoke test  job over SSH passed"), "{}", passed.err());
    site.assert_nothing_left();
}

#[test]
fn an_engine_whose_containers_cannot_be_reached_is_blamed_and_not_the_image() {
    let Some(site) = site() else { return };
    if !have("python3") || !have("ip") {
        return;
    }
    if !may_make_networks() {
        return skip("this user may not make a network");
    }
    // A network in which nothing but its own loopback can be reached, as on a host far from the engine.
    let refused = by_tcp(&site, &["unshare", "--net"]).with_code(6);
    let err = refused.err();
    assert!(
        err.contains("error: smoke test on the Docker Engine at tcp://127.0.0.1:")
            && err.contains("its containers cannot be reached from this host")
            && err.contains("no port is published on another host")
            && err.contains("hint: run the command on the engine's own host"),
        "{err}"
    );
    site.assert_nothing_left();
}

//! What systemd hears of the service: the test listens in its place.

use std::process::Stdio;

use fargate_tests::{CheckedHost, PATIENCE, PipeReading, TestProcess, runner};
use nix::sys::signal::Signal;
use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::time::timeout;

async fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let received = timeout(PATIENCE, socket.recv(&mut bytes)).await;
    let count = received.expect("a message in time").expect("a message");
    String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
}

#[tokio::test]
async fn systemd_hears_that_the_service_is_ready_lives_and_ends() {
    let site = CheckedHost::open().await;
    let place = site.folder().join("notify");
    let socket = UnixDatagram::bind(&place).expect("a socket");
    let mut command = Command::new(runner());
    command.arg("-c").arg(site.config()).args(["serve", "--listen", "127.0.0.1:0"]);
    command.env_clear().envs(site.environment()).stdin(Stdio::null());
    command.env("NOTIFY_SOCKET", &place).env("WATCHDOG_USEC", "100000");
    let mut service = TestProcess::start(command, PipeReading::Always);
    assert_eq!(heard(&socket).await, "READY=1");
    // Written before, and read from the pipe a moment later.
    service.wrote("http://127.0.0.1:").await;
    for _ in 0..3 {
        assert_eq!(heard(&socket).await, "WATCHDOG=1");
    }
    service.signal(Signal::SIGTERM);
    let last = loop {
        match heard(&socket).await {
            message if message == "WATCHDOG=1" => {}
            message => break message,
        }
    };
    assert_eq!(last, "STOPPING=1");
    service.ended().await.with_code(0);
    site.close().await;
}

//! The driver logs in while other clients at the same address hold or flood the port.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fargate_tests::{CheckedHost, PATIENCE, TestJob, agent, until};
use russh::keys::PublicKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::second_agent;
use crate::stranger_connections::{StrangerBehaviour, StrangerClients};

/// Longest that a stage may take beside strangers: less than the 15 s for which a stranger may hold a
/// connection. On a machine with nothing else to do a stage takes less than 2 s.
const SOON: Duration = Duration::from_secs(13);
/// How many other clients must have connected before the driver does: more than the agent has places for.
const MANY: usize = 140;

fn address_of(job: &TestJob) -> SocketAddr {
    let state = job.state().expect("a state file");
    state["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
}

/// Three stages of `job` get in beside strangers who behave so.
async fn gets_in(job: &TestJob, address: SocketAddr, behaviour: StrangerBehaviour) {
    let name = format!("{behaviour:?}");
    let strangers = StrangerClients::at(address, behaviour);
    until("strangers at the port", || strangers.visits() >= MANY).await;
    for _ in 0..3 {
        let begun = Instant::now();
        let ended = job.run("echo in").await.with_code(0);
        assert_eq!(ended.out(), "in\n");
        let (took, visits) = (begun.elapsed(), strangers.visits());
        println!("{took:?} beside {visits} visits of strangers: {name:.60}");
        assert!(took < SOON, "{took:?} beside strangers: {name}");
    }
}

#[tokio::test]
async fn strangers_who_do_not_even_say_what_they_speak_keep_no_login_of_ours_out() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let address = address_of(&job);
    for said in ["", "S", "SSH-2.0-half_a_version", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        gets_in(&job, address, StrangerBehaviour::Says(said.into())).await;
    }
    gets_in(&job, address, StrangerBehaviour::Trickles).await;
    gets_in(&job, address, StrangerBehaviour::Leaves).await;
    site.close().await;
}

#[tokio::test]
async fn strangers_who_stop_in_the_exchange_of_keys_keep_no_login_of_ours_out() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let address = address_of(&job);
    gets_in(&job, address, StrangerBehaviour::Says(b"SSH-2.0-x\r\n".into())).await;
    // The beginning of a packet of 300 bytes.
    let half = b"SSH-2.0-x\r\n\x00\x00\x01\x2c\x04\x14 and no more".into();
    gets_in(&job, address, StrangerBehaviour::Says(half)).await;
    site.close().await;
}

#[tokio::test]
async fn strangers_who_exchange_keys_and_prove_nothing_keep_no_login_of_ours_out() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let address = address_of(&job);
    let key = &site.task_of(&job).environment["SSH_PUBLIC_KEY"];
    let key = PublicKey::from_openssh(key).expect("a key");
    gets_in(&job, address, StrangerBehaviour::ExchangesKeys).await;
    gets_in(&job, address, StrangerBehaviour::ProvesAnotherKey).await;
    gets_in(&job, address, StrangerBehaviour::NamesTheKey(Box::new(key))).await;
    site.close().await;
}

#[tokio::test]
async fn a_stranger_alone_is_sent_away_after_15_seconds_however_it_spends_them() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut stranger = TcpStream::connect(address_of(&job)).await.expect("a connection");
    let begun = Instant::now();
    // It ends its version line just before its time is over. That gives it no more time.
    for byte in b"SSH-2.0-slow\r\n" {
        stranger.write_all(&[*byte]).await.expect("it is still there");
        sleep(Duration::from_millis(900)).await;
    }
    let mut heard = Vec::new();
    let ended = timeout(PATIENCE, stranger.read_to_end(&mut heard)).await;
    assert!(ended.is_ok() && heard.starts_with(b"SSH-2.0-"), "{ended:?}");
    let took = begun.elapsed();
    // If its last byte had given it another 15 s, it would have stayed for more than 26 s.
    // The agent's clock began a moment before this one.
    let least = Duration::from_millis(14_900);
    assert!(took >= least && took.as_secs() < 26, "{took:?}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn with_few_open_files_strangers_keep_no_login_of_ours_out_either() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let real = job.state().expect("a state file")["address"].clone();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n 256 && exec {}", agent().display())]);
    let (mut other, address) = second_agent(&site, &job, command).await;
    let address = address.parse().expect("an address");
    gets_in(&job, address, StrangerBehaviour::Says(Vec::new())).await;
    gets_in(&job, address, StrangerBehaviour::ExchangesKeys).await;
    other.kill().await.expect("a child of ours");
    job.change_state(|state| state["address"] = real);
    site.close().await;
}

//! C1 and C2: nobody answers before the script is sent.

use std::time::{Duration, Instant};

use fargate_tests::{FaultyRelay, PATIENCE, RelayBehaviour, SYSTEM_FAILURE, until};

use crate::{address_of, lead, relayed, site};

#[tokio::test]
async fn a_task_that_refuses_for_a_while_and_then_listens_gets_its_script() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    relay.set(RelayBehaviour::Refusing);
    let asked = site.calls("DescribeTasks");
    let mut running = job.start_run("echo at last");
    // It asks ECS only when nobody has answered for a while.
    until("it was refused for long", || site.calls("DescribeTasks") > asked).await;
    assert!(running.runs());
    relay.set(RelayBehaviour::Up);
    assert_eq!(job.heard(running).await.with_code(0).all(), "at last\n");
    site.close().await;
}

#[tokio::test]
async fn where_no_packet_is_answered_it_ends_at_the_window_and_says_so() {
    let site = site().await;
    site.set("defaults.timeouts.reconnect", "1s");
    site.set("defaults.timeouts.connect_attempt", "200ms");
    let job = site.prepared().await;
    let real = address_of(&job);
    // A listener whose queue is full lets the kernel drop every further packet.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let listener = listener.expect("a socket");
    let any: std::net::SocketAddr = "127.84.0.1:0".parse().expect("an address");
    listener.bind(&any.into()).expect("a free port");
    listener.listen(0).expect("a bound socket");
    let full = listener.local_addr().expect("bound").as_socket().expect("IPv4");
    let quick = Duration::from_millis(50);
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&full, quick) {
        waiting.push(stream);
    }
    lead(&job, full);
    let began = Instant::now();
    let ended = job.run("echo never").await.with_code(SYSTEM_FAILURE);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!((ended.out().as_str(), job.exit_code()), ("", None));
    let line = ended.error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{line}");
    lead(&job, real);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_task_that_has_ended_is_not_waited_for() {
    let site = site().await;
    let job = site.prepared().await;
    let relay = FaultyRelay::to(address_of(&job)).await;
    lead(&job, relay.address);
    relay.set(RelayBehaviour::Refusing);
    let running = job.start_run("echo never");
    let arn = site.task_of(&job).arn;
    assert!(site.cloud().stop_task_from_outside(
        &arn,
        "SpotInterruption",
        "Your Spot Task was interrupted."
    ));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: AWS took the Spot task back"), "{line}");
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    site.close().await;
}

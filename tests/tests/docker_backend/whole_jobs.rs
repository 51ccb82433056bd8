//! Jobs through the driver, in containers.

use std::process::Stdio;
use std::time::Duration;

use fargate_tests::{BUILD_FAILURE, runner};
use tokio::process::Command;
use tokio::time::timeout;

use crate::{
    close, describe, engine, host_on, output, run_task, shell, start_task, stop_task, until_status,
};

/// Longest time for a demo on a busy machine.
const DEMO_TIME: Duration = Duration::from_secs(100);

#[tokio::test]
async fn a_job_runs_in_a_container_of_its_image_and_nothing_of_it_stays() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let job = site.job();
    job.prepare().await.passed();
    let task = site.task_of(&job);
    let seen = describe(&site, &task.arn).await;
    let address = seen.attachments()[0].details().iter().find_map(|detail| {
        (detail.name() == Some("privateIPv4Address")).then(|| detail.value().unwrap_or_default())
    });
    let own = job.run("hostname -i; cat /proc/1/comm; id -u").await;
    let expected = format!("{}\nfargate-agent\n0\n", address.expect("an address"));
    assert_eq!((own.out(), own.code), (expected, 0), "{}", own.err());
    job.run("exit 7").await.with_code(BUILD_FAILURE);
    assert_eq!(job.exit_code().as_deref(), Some("7\n"));
    job.cleanup().await.passed();
    close(engine, site).await;
}

#[tokio::test]
async fn containers_of_a_task_share_their_network_and_nothing_else() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let server = "mkdir /tmp/own; exec perl -MIO::Socket::INET -e 'my $s = \
                  IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 4000, Listen => 1); \
                  my $c = $s->accept; print $c qq(hello\\n); close $c; sleep 100'";
    let client = "for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/4000 && cat <&3) 2>/dev/null \
                  && break; sleep 0.1; done; ls /tmp; sleep 100";
    let client =
        shell(engine, "client", client).set_entry_point(Some(vec!["/bin/bash".to_owned()]));
    let arn = start_task(&site, "two", vec![shell(engine, "server", server), client]).await;
    until_status(&site, &arn, "RUNNING").await;
    fargate_tests::until("the greeting", || output(&site, &arn, "client") == "hello\n").await;
    let second = run_task(&site, "two").await;
    until_status(&site, &second, "RUNNING").await;
    for arn in [&arn, &second] {
        stop_task(&site, arn).await;
    }
    close(engine, site).await;
}

#[tokio::test]
async fn the_demo_passes_in_containers() {
    let Some(engine) = engine() else { return };
    let mut command = Command::new(runner().with_file_name("fargate-local"));
    command.args(["demo", "--backend", "docker", "--engine", &engine.socket()]);
    command.args(["--image", engine.image_id()]).stdin(Stdio::null()).kill_on_drop(true);
    let output =
        timeout(DEMO_TIME, command.output()).await.expect("in time").expect("it was built");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

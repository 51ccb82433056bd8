//! A cluster that cannot be reached when the daemon starts, and can be later.

use std::time::{Duration, Instant};

use fargate_tests::{MovedClock, until};

use crate::orphans::{desired, stray};
use crate::{RunningDaemon, owner, used_site};

#[tokio::test]
async fn a_cluster_that_could_not_be_reached_at_the_start_is_looked_after_once_it_can() {
    let site = used_site().await;
    let lost = stray(&site, &owner(&site), 1).await;
    let needed = site.prepared().await;
    let Some(clock) = MovedClock::all_time(&site) else {
        return fargate_tests::skip("faketime is missing");
    };
    // The Region stands in a file of AWS that somebody writes later.
    let text = std::fs::read_to_string(site.config()).expect("a configuration");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("region")).collect();
    assert!(without.len() < text.lines().count(), "{text}");
    let config = site.folder().join("without-region.toml");
    std::fs::write(&config, without.join("\n")).expect("a writable folder");
    let serve = ["-c", config.to_str().expect("a path"), "serve", "--listen", "127.0.0.1:0"];
    let daemon = RunningDaemon::listening(&site, clock.start(&needed, &serve)).await;
    until("the log says so", || site.log().contains("Region is not known")).await;
    let aws = site.folder().join(".aws");
    std::fs::create_dir(&aws).expect("a writable folder");
    std::fs::write(aws.join("config"), "[default]\nregion = eu-west-1\n").expect("a file");
    let (mut passed_s, mut set) = (0, None::<Instant>);
    until("the orphan is stopped", || {
        if set.is_none_or(|set| set.elapsed() > Duration::from_secs(2)) {
            passed_s += 31;
            clock.set(&format!("+{passed_s}s"));
            set = Some(Instant::now());
        }
        drop(std::os::unix::net::UnixStream::connect(crate::socket(&site)));
        desired(&site, &lost) == "STOPPED"
    })
    .await;
    assert_eq!(site.task_of(&needed).desired_status, "RUNNING");
    needed.cleanup().await.passed();
    daemon.close().await;
    site.close().await;
}

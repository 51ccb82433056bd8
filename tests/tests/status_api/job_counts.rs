//! Each job is counted once, however often its start was tried.

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, new_postgres_database, until_found};

use crate::server::StatusServer;

/// The sum of the samples of this counter.
fn sum(text: &str, counter: &str) -> f64 {
    let samples = text.lines().filter(|line| line.starts_with(counter));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn a_start_that_gitlab_runner_tries_three_times_is_one_job() {
    let site = CheckedHost::open().await;
    let first = site.prepared().await;
    first.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    let job = site.job();
    site.set("defaults.timeouts.task_start", "2s");
    site.set("defaults.timeouts.prepare", "2s");
    for attempt in 1..=3 {
        let fault = CloudFault::TaskHeld { phase: CloudTaskPhase::Pending };
        site.cloud().fail_until_cleared("RunTask", fault);
        let prepared = job.prepare().await;
        assert_ne!(prepared.code, 0, "try {attempt}");
        site.cloud().clear_faults();
        job.cleanup().await.passed();
    }
    let last = site.prepared().await;
    last.run("true").await.passed();
    last.cleanup().await.passed();
    // Journals of jobs that seemed to be over are read on every ten seconds.
    let text = until_found("both jobs are counted", async || {
        let text = server.get("/metrics").await.text();
        let is_counted = |result: &str| text.contains(&format!(r#"result="{result}""#));
        if is_counted("passed") && is_counted("system_failure") { Ok(text) } else { Err(text) }
    })
    .await;
    let of = |result: &str| {
        let counter = format!(r#"fargate_runner_jobs_total{{profile="defaults",result="{result}""#);
        sum(&text, &counter)
    };
    let counts = ["cancelled", "system_failure", "passed", "unknown"].map(of);
    assert!(counts.iter().zip([1.0, 1.0, 1.0, 0.0]).all(|(n, m)| (n - m).abs() < 0.1), "{text}");
    server.close().await;
    site.close().await;
}

/// D18: two hosts with one history. Each tells the ends of its own jobs, so that sums over hosts are right.
#[tokio::test]
async fn d18_two_hosts_with_one_postgresql_count_their_own_jobs_once_each() {
    let Some(url) = new_postgres_database().await else { return };
    let mut hosts = Vec::new();
    for (owner, passed, failed) in [("ci-1", 2, 0), ("ci-2", 1, 2)] {
        let site = CheckedHost::open().await;
        site.set("owner", owner);
        site.set("history.url", url.as_str());
        // The job makes the state folder, and ends before anybody counts.
        site.prepared().await.cleanup().await.passed();
        let server = StatusServer::of(&site).await;
        hosts.push((site, server, [passed, failed]));
    }
    for (site, _, [passed, failed]) in &hosts {
        let scripts = std::iter::repeat_n(("true", 0), *passed);
        for (script, code) in scripts.chain(std::iter::repeat_n(("exit 3", 1), *failed)) {
            let job = site.prepared().await;
            job.run(script).await.with_code(code);
            job.cleanup().await.passed();
        }
    }
    // Both show all jobs, and the one of before.
    let all = 2 + hosts.iter().map(|(.., jobs)| jobs.iter().sum::<usize>()).sum::<usize>();
    for (_, server, _) in &hosts {
        let is_whole = |json: &serde_json::Value| {
            let rows = json["rows"].as_array().into_iter().flatten();
            json["total"] == all && rows.filter(|row| row["state"] == "finished").count() == all
        };
        server.json_once("/api/v1/jobs?last=24h", is_whole).await;
    }
    let ends = |text: &str, result: &str| {
        let counter = format!(r#"fargate_runner_jobs_total{{profile="defaults",result="{result}""#);
        sum(text, &counter)
    };
    for (_, server, jobs) in &hosts {
        let expected = jobs.map(|jobs| jobs as f64);
        until_found("each of its jobs is counted", async || {
            let text = server.get("/metrics").await.text();
            let counted = ["passed", "failed"].map(|result| ends(&text, result));
            let is_right = counted.iter().zip(expected).all(|(n, m)| (n - m).abs() < 0.1);
            if is_right { Ok(()) } else { Err(format!("{counted:?}, {expected:?}: {text}")) }
        })
        .await;
    }
    // What the other host's follower saw since then changed nothing.
    for (site, server, jobs) in hosts {
        let text = server.get("/metrics").await.text();
        let counted = ["passed", "failed"].map(|result| ends(&text, result));
        assert!(counted.iter().zip(jobs).all(|(n, m)| (n - m as f64).abs() < 0.1), "{text}");
        server.close().await;
        site.close().await;
    }
}

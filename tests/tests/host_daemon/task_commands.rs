//! `tasks list`, `tasks stop` and `completion`, with and without the daemon.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, until_found};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{RunningDaemon, used_site};

async fn list(site: &CheckedHost) -> Value {
    let ended = site.start(&["tasks", "list"]).ended().await.with_code(0);
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.all()))
}

#[tokio::test]
async fn live_tasks_are_listed_by_ecs_and_by_the_daemon_alike_and_one_can_be_stopped() {
    let site = used_site().await;
    let none = list(&site).await;
    assert_eq!((&none["tasks"], &none["source"]), (&serde_json::json!([]), &"ecs".into()));
    let job = site.prepared().await;
    let of_ecs = list(&site).await;
    let daemon = RunningDaemon::of(&site).await;
    let of_daemon = until_found("the daemon lists it", async || {
        let listed = list(&site).await;
        match &listed["source"] {
            source if source == "daemon" => Ok(listed),
            source => Err(source.to_string()),
        }
    })
    .await;
    assert_eq!(of_ecs["tasks"][0], of_daemon["tasks"][0]);
    let task = &of_daemon["tasks"][0];
    assert_eq!(task["task"], site.task_of(&job).arn.as_str());
    assert_eq!((&task["state"], &task["ecs_status"]), (&"running".into(), &"RUNNING".into()));
    let name = task["job"].as_str().expect("a job");
    let watch = site.start(&["tasks", "list", "--watch"]);
    let unasked = site.start(&["tasks", "stop", name]).ended().await.with_code(2);
    assert!(unasked.err().contains("needs --yes"), "{}", unasked.all());
    let unknown = site.start(&["tasks", "stop", "nobody", "--yes"]).ended().await.with_code(1);
    assert!(unknown.err().contains("no live task of this host is nobody"), "{}", unknown.all());
    assert_eq!(site.task_of(&job).desired_status, "RUNNING");
    site.start(&["tasks", "stop", name, "--yes"]).ended().await.with_code(0);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    job.run("true").await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    watch.signal(Signal::SIGTERM);
    let watched = watch.ended().await.with_code(0);
    let lines: Vec<&str> = std::str::from_utf8(&watched.stdout).expect("text").lines().collect();
    assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines:?}");
    daemon.close().await;
    site.close().await;
}

#[tokio::test]
async fn shells_get_a_script_that_they_accept() {
    let site = CheckedHost::open().await;
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let script = site.start(&["completion", shell]).ended().await.with_code(0);
        assert!(script.out().contains(word) && script.out().contains("tasks"), "{shell}");
        if shell == "bash" {
            let path = site.folder().join("completion.bash");
            std::fs::write(&path, &script.stdout).expect("a file");
            let checked = std::process::Command::new("bash").arg("-n").arg(&path).status();
            assert!(checked.expect("bash").success());
        }
    }
    site.close().await;
}

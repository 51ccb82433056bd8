//! `jobs audit`: the audit log as an export, and whether it is whole.

use fargate_tests::{CheckedHost, until_found};
use serde_json::Value;

use crate::server::StatusServer;

/// The lines of an export, once it has so many.
async fn exported(site: &CheckedHost, arguments: &[&str], least: usize) -> Vec<Value> {
    until_found("the export", async || {
        let ended = site.start(arguments).ended().await;
        let lines: Result<Vec<Value>, _> = ended.out().lines().map(serde_json::from_str).collect();
        match lines {
            Ok(lines) if ended.code == 0 && lines.len() >= least => Ok(lines),
            _ => Err(ended.all()),
        }
    })
    .await
}

#[tokio::test]
async fn each_launch_and_its_verdict_is_exported_with_who_what_and_where() {
    let site = CheckedHost::open().await;
    let absent = site.start(&["jobs", "audit"]).ended().await.with_code(1);
    assert!(absent.err().contains("there is no history at "), "{}", absent.all());
    assert!(!site.state_dir().join("history.db").exists(), "an export makes nothing");
    let job = site.job();
    let response = std::fs::read(job.response()).expect("the job's response");
    let mut response: Value = serde_json::from_slice(&response).expect("JSON");
    response["job_info"]["user_id"] = 42.into();
    std::fs::write(job.response(), response.to_string()).expect("a writable file");
    job.prepare().await.passed();
    let server = StatusServer::of(&site).await;
    job.run("exit 3").await.with_code(1);
    job.cleanup().await.passed();
    let lines = exported(&site, &["jobs", "audit", "-o", "ndjson"], 3).await;
    let of = |action: &str| {
        lines.iter().find(|line| line["action"] == action).unwrap_or_else(|| panic!("{lines:?}"))
    };
    let (launched, ended) = (of("task.launched"), of("job.ended"));
    let arn = site.task_of(&job).arn;
    assert_eq!(launched["details"]["task"], arn.as_str());
    for line in [launched, ended] {
        for name in ["id", "project", "ref", "sha"] {
            assert!(line["details"][name].is_string(), "{name}: {line}");
        }
        assert_eq!(line["who"], "user 42", "{line}");
        assert_eq!(line["object"], job.key().as_str());
    }
    assert_eq!(ended["details"]["verdict"], "failed");
    let sequences: Vec<u64> = lines.iter().filter_map(|line| line["sequence"].as_u64()).collect();
    assert_eq!(sequences, (1..=lines.len() as u64).collect::<Vec<_>>());
    let recent = exported(&site, &["jobs", "audit", "--since", "1h", "-o", "ndjson"], 3).await;
    assert_eq!(recent, lines);
    let later = ["jobs", "audit", "--since", "2099-01-01", "-o", "json"];
    let none = site.start(&later).ended().await.with_code(0);
    assert_eq!((none.out().trim(), none.err().trim()), ("{\"entries\":[]}", "0 entries"));
    let whole = site.start(&["jobs", "audit", "--verify"]).ended().await.with_code(0);
    assert!(whole.err().contains("the audit log is whole"), "{}", whole.all());
    let wrong = site.start(&["jobs", "audit", "--since", "yesterday"]).ended().await.with_code(2);
    assert!(wrong.err().contains("allowed: a length of time"), "{}", wrong.all());
    server.close().await;

    let damage = "import sqlite3, sys\n\
                  base = sqlite3.connect(sys.argv[1])\n\
                  base.executescript(\"DROP TRIGGER audit_is_not_changed; UPDATE audit SET who = 'sam' WHERE sequence = 2\")";
    let database = site.state_dir().join("history.db");
    let ran = std::process::Command::new("python3").args(["-c", damage]).arg(&database).status();
    assert!(ran.expect("python3").success());
    let broken = site.start(&["jobs", "audit", "--verify"]).ended().await.with_code(1);
    assert!(broken.err().contains("the audit log is broken at entry 2"), "{}", broken.all());
    site.close().await;
}

#[tokio::test]
async fn what_a_person_does_by_commands_is_audited_with_and_without_a_daemon() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    site.start(&["pause", "--note", "new disk"]).ended().await.with_code(0);
    let server = StatusServer::of(&site).await;
    site.start(&["resume"]).ended().await.with_code(0);
    site.start(&["tasks", "stop", "gl-4000", "--yes"]).ended().await.with_code(0);
    let lines = until_found("the entries of the person", async || {
        let lines = exported(&site, &["jobs", "audit", "-o", "ndjson"], 1).await;
        let by_command = lines.into_iter().filter(|line| line["details"]["by"] == "command line");
        let by_command: Vec<Value> = by_command.collect();
        if by_command.len() == 3 { Ok(by_command) } else { Err(format!("{by_command:?}")) }
    })
    .await;
    let actions: Vec<_> =
        lines.iter().map(|line| line["action"].as_str().unwrap_or_default()).collect();
    assert_eq!(actions, ["host.pause", "host.resume", "task.stop"]);
    assert!(lines.iter().all(|line| line["who"].as_str().is_some_and(|who| !who.is_empty())));
    assert_eq!(lines[0]["details"]["note"], "new disk");
    assert_eq!(lines[0]["object"], lines[0]["host"]);
    assert_eq!(lines[2]["object"], site.task_of(&job).arn.as_str());
    assert_eq!(lines[2]["details"]["job"], job.key().as_str());
    job.cleanup().await.passed();
    server.close().await;
    site.close().await;
}

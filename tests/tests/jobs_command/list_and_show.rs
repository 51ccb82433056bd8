//! `jobs list` and `jobs show`: what a person reads, what a program reads, and that no secret is in it.

use fargate_tests::{CheckedHost, redacted, until_found};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::name_of;

/// What the command writes to stdout.
async fn printed(site: &CheckedHost, words: &[&str]) -> String {
    site.start(words).ended().await.with_code(0).out()
}

/// The text without what differs from run to run.
fn usual(text: &str, site: &CheckedHost, key: &str) -> String {
    let owner = std::fs::read_to_string(site.state_dir().join("owner")).unwrap_or_default();
    let text = text.replace(key, "KEY").replace(&key[..8], "KEY").replace(owner.trim(), "OWNER");
    let text = redacted(&text);
    let lines = text.lines().map(|line| match line.split_once("ends itself  in ") {
        Some(_) => "ends itself  in T",
        None => line.trim_end(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_person_sees_the_jobs_and_what_is_known_of_one() {
    let site = CheckedHost::open().await;
    let empty = site.start(&["jobs", "list", "--format", "table"]).ended().await;
    assert!(empty.code == 1 && empty.err().contains("state"), "no job has made the folder yet");
    let (first, second) = (site.prepared().await, site.prepared().await);
    let key = first.key().as_str().to_owned();
    let shown = printed(&site, &["jobs", "show", &name_of(&first), "--format", "table"]).await;
    let clock = regex::Regex::new(r"\d\d:\d\d:\d\d UTC").expect("a pattern of ours");
    let shown = clock.replace_all(&usual(&shown, &site, &key), "CLOCK").into_owned();
    // The bars of the start differ from run to run.
    let (bars, parts): (Vec<&str>, Vec<&str>) =
        shown.split("\n\n").partition(|part| part.starts_with("start "));
    assert!(bars.len() == 1 && bars[0].contains("runner  Host proven"), "{shown}");
    insta::assert_snapshot!(parts.join("\n\n"), @"
    ~ test  gl-4000  group/project  main  starting  CLOCK  lived T  about $0.0008 (estimate)

    task             arn:aws:ecs:eu-west-1:123456789012:task/ci/TASK
    state            RUNNING
    subnet           subnet-0a1b2c3d4e5f60718 (eu-west-1a)
    address          ADDRESS
    security groups  sg-0c3d4e5f60718293b
    cluster          ci
    region           eu-west-1
    image            ci-job
    architecture     x86_64
    task definition  ci-job
    platform         1.4.0
    disk             20 GiB
    host key         seed
    server           fargate-agent T.0
    client token     TASK
    started by       OWNER

    key          KEY
    pipeline     71
    address      PLACE
    user         root
    host key     SHA256:FINGERPRINT
    ends itself  in T
    ");
    let by_key = printed(&site, &["jobs", "show", &key[..8], "--format", "tsv"]).await;
    assert!(by_key.starts_with("state\trunning\nkey\t"), "{by_key}");
    second.cleanup().await.passed();
    let list = printed(&site, &["jobs", "list", "--format", "table"]).await;
    let spaces = regex::Regex::new(" +").expect("a pattern of ours");
    let ids = regex::Regex::new(r"\b[0-9a-f]{8}\b").expect("a pattern of ours");
    let list = ids.replace_all(&usual(&list, &site, &key), "SHORT").into_owned();
    insta::assert_snapshot!(spaces.replace_all(&list, " "), @"
    STATE FOR JOB PROJECT TASK SIZE NOTE
    > running T gl-4000 group/project SHORT 1 vCPU, 2 GB -
    - cancelled T gl-4001 group/project SHORT 1 vCPU, 2 GB cancelled
    ");
    site.close().await;
}

#[tokio::test]
async fn a_program_reads_json_without_any_secret() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let text = printed(&site, &["jobs", "show", &name_of(&job)]).await;
    let shown: Value = serde_json::from_str(&text).expect("JSON in a pipe");
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["key"], job.key().as_str());
    assert_eq!(shown["task"], state["core"]["task"]);
    assert_eq!(shown["address"], state["address"]);
    let list = printed(&site, &["jobs", "list"]).await;
    let listed: Value = serde_json::from_str(&list).expect("JSON in a pipe");
    let mut of_record = shown.clone();
    let history = of_record.as_object_mut().expect("a document").remove("history");
    assert_eq!(listed["jobs"][0], of_record);
    assert_eq!(history.expect("a history")["id"], shown["job"]);
    let seed = site.task_of(&job).environment["FARGATE_RUNNER_HOST_KEY_SEED"].clone();
    let key = state["client_key"].as_str().expect("a key").lines().nth(3).expect("its middle");
    for secret in [seed.as_str(), key, &job.token] {
        assert!(!text.contains(secret) && !list.contains(secret), "{secret}");
    }
    site.close().await;
}

/// Lets `serve` take all jobs into the history, until this many are over there.
async fn into_history(site: &CheckedHost, over: usize) {
    let mut server = site.start(&["serve", "--listen", "127.0.0.1:0"]);
    server.wrote("http://").await;
    until_found("the history", async || {
        let told = site.start(&["jobs", "audit", "-o", "ndjson"]).ended().await;
        let ends = told.out().lines().filter(|line| line.contains("\"job.ended\"")).count();
        if ends == over { Ok(()) } else { Err(told.all()) }
    })
    .await;
    server.signal(Signal::SIGTERM);
    server.ended().await.with_code(0);
}

#[tokio::test]
async fn a_job_that_only_the_history_knows_is_listed_shown_and_explained() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.run("exit 3").await.with_code(1);
    job.cleanup().await.passed();
    into_history(&site, 1).await;
    // As after the days for which the host itself knows it.
    let key = job.key();
    std::fs::remove_file(job.tombstone()).expect("a tombstone");
    let journal = site.state_dir().join("journals").join(format!("{}.journal", key.as_str()));
    std::fs::remove_file(journal).expect("a journal");
    let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON in a pipe");
    let listed = json(printed(&site, &["jobs", "list"]).await);
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(1), "{listed}");
    let row = &listed["jobs"][0];
    assert_eq!((&row["job"], &row["key"]), (&"gl-4000".into(), &key.as_str().into()));
    assert_eq!((&row["state"], &row["verdict"]), (&"finished".into(), &"failed".into()));
    assert!(row["host"].is_string(), "{row}");
    let table = site.start(&["jobs", "list", "-o", "table"]).ended().await.with_code(0);
    assert!(table.out().contains("gl-4000") && table.err().contains("1 more in the history"));
    let later = json(printed(&site, &["jobs", "list", "--since", "2099-01-01"]).await);
    assert_eq!(later["jobs"], serde_json::json!([]));
    for name in ["gl-4000", &key.as_str()[..12]] {
        let shown = json(printed(&site, &["jobs", "show", name]).await);
        assert_eq!((&shown["verdict"], &shown["history"]["key"]), (&"failed".into(), &row["key"]));
        assert!(shown["history"]["events"].as_array().is_some_and(|events| !events.is_empty()));
    }
    let text = printed(&site, &["jobs", "show", "gl-4000", "-o", "table", "--events"]).await;
    assert!(text.contains("gl-4000") && text.contains("script failed with exit 3"), "{text}");
    let why = json(printed(&site, &["jobs", "why", "gl-4000"]).await);
    assert_eq!(why["why"]["slug"], "script-failed");
    let unknown = site.start(&["jobs", "why", "gl-1"]).ended().await.with_code(1);
    assert!(unknown.err().contains("no job gl-1 on this host"), "{}", unknown.all());
    site.close().await;
}

#[tokio::test]
async fn a_history_that_cannot_be_read_costs_one_line_and_no_list() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let history = site.state_dir().join("history.db");
    std::fs::write(&history, "this is no database".repeat(100)).expect("a writable file");
    let name = name_of(&job);
    for words in [&["jobs", "list"][..], &["jobs", "show", &name], &["jobs", "why", &name]] {
        let ended = site.start(words).ended().await.with_code(0);
        assert!(ended.out().contains(&name), "{}", ended.all());
        let warnings = ended.err().lines().filter(|line| line.starts_with("warning: ")).count();
        assert_eq!(warnings, 1, "{}", ended.err());
        assert!(ended.err().contains("the history at "), "{}", ended.err());
    }
    std::fs::remove_file(history).expect("the file");
    site.close().await;
}

//! Two hosts that share one cluster, with different names or with the same name.

use std::path::PathBuf;
use std::rc::Rc;

use fargate_tests::{CheckedHost, TestJob};

use crate::{desired, reap, reap_with, site, stray};

/// Another host on the same cloud: a state folder and a configuration of its own.
fn another_host(site: &CheckedHost) -> PathBuf {
    let text = std::fs::read_to_string(site.config()).expect("a configuration");
    let state = site.folder().join("other-state");
    let mut settings: toml::Table = text.parse().expect("TOML");
    settings.insert("state_dir".to_owned(), state.display().to_string().into());
    let config = site.folder().join("other-config.toml");
    std::fs::write(&config, settings.to_string()).expect("a writable folder");
    config
}

async fn prepared_by(site: &CheckedHost, config: &PathBuf) -> Rc<TestJob> {
    let job = site.job_with(|job| {
        job.arguments = vec!["custom".into(), "-c".into(), config.into()];
    });
    job.prepare().await.passed();
    job
}

#[tokio::test]
async fn each_touches_only_its_own_tasks() {
    let site = site().await;
    let other = another_host(&site);
    let here = site.prepared().await;
    let there = prepared_by(&site, &other).await;
    let owners = [site.task_of(&here).started_by, site.task_of(&there).started_by];
    assert_ne!(owners[0], owners[1]);
    let [ours, theirs] = owners.map(|owner| owner.expect("an owner"));
    let our_stray = stray(&site, &ours, &[("FARGATE_RUNNER_JOB", &crate::job_key(1))]).await;
    let their_stray = stray(&site, &theirs, &[("FARGATE_RUNNER_JOB", &crate::job_key(2))]).await;
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans(), seen.needed()), (vec!["stopped no-record".to_owned()], 1));
    assert_eq!(seen.document["host"], ours.as_str());
    assert_eq!(desired(&site, &our_stray), "STOPPED");
    assert_eq!(desired(&site, &their_stray), "RUNNING");
    let seen = reap_with(&site, &other, &[], 0).await;
    assert_eq!((seen.orphans(), seen.needed()), (vec!["stopped no-record".to_owned()], 1));
    assert_eq!(desired(&site, &their_stray), "STOPPED");
    for job in [here, there] {
        job.run("echo still here").await.passed();
        job.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn under_one_name_the_state_folder_tells_their_tasks_apart() {
    let site = site().await;
    site.set("owner", "ci-host");
    let other = another_host(&site);
    let here = site.prepared().await;
    let there = prepared_by(&site, &other).await;
    for task in [site.task_of(&here), site.task_of(&there)] {
        assert_eq!(task.started_by.as_deref(), Some("ci-host"));
    }
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    assert_eq!(seen.left_alone(), ["another-folder"]);
    assert!(
        seen.ended.err().contains("1 task was left alone: it belongs to another state folder"),
        "{}",
        seen.ended.err()
    );
    let seen = reap_with(&site, &other, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    // Each host knows its own orphans.
    here.note_key();
    here.change_state(|state| state["manager"]["boot"] = "another".into());
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped host-rebooted"]);
    there.run("echo still here").await.passed();
    there.cleanup().await.passed();
    site.close().await;
}

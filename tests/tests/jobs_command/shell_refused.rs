//! Where nobody may look into a task, or nobody can: one sentence each, and nothing is dialled.

use std::path::Path;

use fargate_tests::{CheckedHost, HostSshd, SshdSetup, redacted};
use serde_json::Value;

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

/// The one line that `jobs shell` says of this job.
async fn refused(site: &CheckedHost, job: &str) -> String {
    let words = ["jobs", "shell", job, "--", "true"];
    let ended = site.start(&words).ended().await.with_code(125);
    assert_eq!(ended.out(), "");
    redacted(&ended.error_line())
}

#[tokio::test]
async fn each_refusal_is_one_sentence() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let untouched = job.state().expect("a state file");
    let restore = |state: &mut Value| *state = untouched.clone();
    insta::assert_snapshot!(refused(&site, "gl-4001").await, @"error: no job gl-4001 on this host; did you mean gl-4000?");
    insta::assert_snapshot!(refused(&site, "4000-no-such-job").await, @"error: no job 4000-no-such-job on this host; `fargate-runner jobs list` shows all");
    job.change_state(|state| state["owner"] = "another-host".into());
    let other = refused(&site, &name).await;
    assert!(
        other.starts_with(
            "error: the task of job gl-4000 belongs to host another-host, and this is host-"
        ),
        "{other}"
    );
    job.change_state(restore);
    job.change_state(|state| state["address"] = Value::Null);
    insta::assert_snapshot!(refused(&site, &name).await, @"error: the record of job gl-4000 has no address, so its task cannot be found");
    job.change_state(restore);
    job.cleanup().await.passed();
    insta::assert_snapshot!(refused(&site, &name).await, @"error: job gl-4000 is over: it was cleaned up, and its task is stopped");
    site.close().await;
}

#[tokio::test]
async fn a_task_that_shows_another_host_key_gets_no_byte() {
    let site = CheckedHost::open().await;
    let (job, other) = (site.prepared().await, site.prepared().await);
    let address = other.state().expect("a state file")["address"].clone();
    let own = job.state().expect("a state file")["address"].clone();
    job.change_state(|state| state["address"] = address);
    let line = refused(&site, &name_of(&job)).await;
    assert_eq!(line, "error: another machine answered in the task's place");
    job.change_state(|state| state["address"] = own);
    site.close().await;
}

#[tokio::test]
async fn an_agent_from_before_terminals_says_so_and_runs_commands_without_one() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let program = env!("CARGO_BIN_EXE_odd_agent");
    let subsystem =
        |folder: &Path| format!("Subsystem fargate-runner {program} older {}", folder.display());
    let server = HostSshd::start(&site, &job, "older", subsystem).await;
    let untouched = job.state().expect("a state file");
    job.change_state(|state| {
        state["host_key"] = server.host_key().into();
        state["address"] = server.address.to_string().into();
    });
    let name = name_of(&job);
    let person = PersonAtTerminal::starts(&site, &["jobs", "shell", &name]);
    let (code, shown) = person.ends().await;
    assert_eq!(code, 125, "{shown}");
    let said = "error: an odd agent in the task is too old to give a terminal";
    assert!(shown.contains(said), "{shown}");
    let words = ["jobs", "shell", &name, "--", "sh", "-c", "echo out; exit 3"];
    assert_eq!(site.start(&words).ended().await.with_code(3).out(), "out\n");
    job.change_state(|state| *state = untouched);
    server.end().await;
    site.close().await;
}

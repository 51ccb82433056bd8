//! The demo from its images to its end, with the right login of the registry and with a wrong one.

use fargate_tests::PlainEngine;

use crate::{engine, script};

/// Asserts that the engine has our images, and nothing else of the demo.
fn assert_nothing_left(engine: &PlainEngine, log: &str) {
    assert!(log.contains("nothing is left but the images"), "{log}");
    assert_eq!(engine.contents().expect("lists of the engine"), Vec::<String>::new(), "{log}");
    let foreign = |tag: &String| !tag.starts_with("fargate-runner/") && tag != "<none>:<none>";
    let mut tags = engine.image_tags().expect("a list of images");
    tags.retain(foreign);
    assert_eq!(tags, Vec::<String>::new(), "{log}");
}

/// Asserts that `words` stand in the log in this order.
fn assert_in_order(log: &str, words: &[&str]) {
    let mut rest = log;
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("no {word:?} after the former:\n{log}")
        };
        rest = after;
    }
}

#[tokio::test]
async fn a_job_runs_in_an_image_of_the_private_registry_and_nothing_is_left() {
    let Some(engine) = engine().await else { return };
    let ended = script(&engine, "compose-demo.sh", &[], &[]).await;
    assert!(ended.passed, "{}", ended.log);
    let words = [
        "built fargate-runner/demo-job:local",
        "without a login the registry takes nothing",
        "the account has the cluster ci",
        "the page is at http://127.0.0.1:",
        "Using Custom executor with driver fargate-runner",
        "/ci:demo (digest not reported by ECS)",
        "no public address",
        "proven by seed",
        "a job in the container ",
        "git version 2.",
        "step 3 of 3\n",
        "Job succeeded\n",
        "the page knows that the job ended: passed",
        "the daemon saw no orphan",
    ];
    assert_in_order(&ended.log, &words);
    assert_nothing_left(&engine, &ended.log);
}

#[tokio::test]
async fn a_wrong_login_in_secrets_manager_fails_the_job_before_its_script_and_nothing_is_left() {
    let Some(engine) = engine().await else { return };
    let ended = script(&engine, "compose-demo.sh", &[], &[("WRONG_LOGIN", "1")]).await;
    assert!(!ended.passed, "{}", ended.log);
    let words = [
        "the account has the cluster ci",
        "the registry refused the image",
        "unauthorized: authentication required",
        "ERROR: Job failed: (system failure)",
        "the page knows that the job ended: system_failure",
        "the daemon saw no orphan",
    ];
    assert_in_order(&ended.log, &words);
    assert!(!ended.log.contains("a job in the container "), "{}", ended.log);
    assert_nothing_left(&engine, &ended.log);
}

#[tokio::test]
async fn a_folder_without_the_binaries_is_refused_with_the_command_that_makes_them() {
    let Some(engine) = engine().await else { return };
    let ended = script(&engine, "build.sh", &["demo-jobb"], &[]).await;
    assert!(
        !ended.passed && ended.log.contains("there is no image demo-jobb; there are ci"),
        "{}",
        ended.log
    );
    let missing = [("FARGATE_AGENT", "/nonexistent/fargate-agent")];
    let ended = script(&engine, "build.sh", &["ci"], &missing).await;
    assert!(!ended.passed, "{}", ended.log);
    let expected = "there is no /nonexistent/fargate-agent; `make dist` builds it into target/dist";
    assert!(ended.log.contains(expected), "{}", ended.log);
}

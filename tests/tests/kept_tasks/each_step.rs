//! The clean-up that keeps a task ends behind each of its steps by SIGKILL. The sweep then ends what is
//! not kept, and a person what is: nothing is left.

use std::collections::BTreeSet;
use std::fs;

use fargate_tests::{BUILD_FAILURE, CheckedHost, END_AT, skip};

use crate::{command, keep_until, name_of, orphans, prepared, reap, site};

/// Of the driver, in builds with debug assertions: what it reached.
const REACHED: &str = "FARGATE_RUNNER_REACHED";
/// Far more steps than any clean-up has.
const MOST: usize = 60;

/// Ends the clean-up of a failed job behind its `step`th step; `None` if it has fewer. Tells the name of
/// the step, and whether the task was kept by then.
async fn ended_behind(site: &CheckedHost, step: usize, is_tagged: bool) -> Option<(String, bool)> {
    let job = if is_tagged { prepared(site, "10m").await } else { site.prepared().await };
    let name = name_of(&job);
    job.run("exit 3").await.with_code(BUILD_FAILURE);
    if !is_tagged {
        // So late that no `run` could move the tag.
        command(site, &["jobs", "hold", &name, "--for", "10m"], 0).await;
    }
    let reached = job.folder.join("reached");
    let doomed = site.same_job(&job, |job| {
        job.set(END_AT, format!("KILL {step}"));
        job.set(REACHED, &reached);
    });
    let code = doomed.cleanup().await.code;
    let reached = fs::read_to_string(reached).unwrap_or_default();
    let point = reached.lines().nth(step - 1).map(str::to_owned);
    assert_eq!(code, if point.is_some() { 137 } else { 0 }, "{point:?}");
    let is_kept = keep_until(&job).is_some();
    let swept = reap(site).await;
    // Killed before its first change, it has done nothing, and the runner that calls it may do so again.
    if job.state().is_some_and(|state| state["ready"] == true) {
        job.cleanup().await.passed();
    }
    if keep_until(&job).is_some() {
        assert!(orphans(&swept).is_empty(), "{point:?}: {swept}");
        command(site, &["jobs", "release", &name], 0).await;
    }
    assert!(!job.state_file().exists(), "{point:?}: {swept}");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED", "{point:?}: {swept}");
    point.map(|point| (point, is_kept))
}

#[tokio::test]
async fn a_clean_up_that_is_killed_leaves_a_kept_task_or_one_that_the_sweep_stops() {
    if !cfg!(debug_assertions) {
        skip("the driver is built without debug assertions, so no step of it is told");
        return;
    }
    let site = site().await;
    let (mut names, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for is_tagged in [true, false] {
        for step in 1..MOST {
            let Some((name, is_kept)) = ended_behind(&site, step, is_tagged).await else { break };
            kept.insert(is_kept);
            names.insert(name);
        }
    }
    assert_eq!(kept.len(), 2, "some were killed before, some behind the last step");
    let names = names.into_iter().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(names, @"FileRenamed FileWritten LoggedIn TagResourceAnswered TaskWiped");
    site.close().await;
}

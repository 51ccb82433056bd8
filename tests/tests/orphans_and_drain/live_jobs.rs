//! `tasks reap` runs again and again beside live jobs, and harms none.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use fargate_tests::CheckedHost;
use tokio::task::{JoinSet, LocalSet};

use crate::{owner, reap, site, stray};

/// Jobs at once.
const JOBS: usize = 20;

/// The keys of jobs.
type LiveJobKeys = Rc<RefCell<BTreeSet<String>>>;

/// A whole job, from `prepare` to `cleanup`.
async fn whole(site: Rc<CheckedHost>, cleaned: LiveJobKeys) {
    let job = site.job();
    job.prepare().await.passed();
    for stage in 0..3 {
        let ended = job.run(format!("echo stage {stage}")).await.with_code(0);
        assert_eq!(ended.out(), format!("stage {stage}\n"));
    }
    cleaned.borrow_mut().insert(job.key().to_string());
    job.cleanup().await.passed();
}

#[tokio::test]
async fn twenty_live_jobs_are_not_harmed_and_the_orphans_among_them_are_stopped() {
    let site = Rc::new(site().await);
    site.job().cleanup().await.passed();
    let owner = owner(&site);
    let mut strays = Vec::new();
    for number in 0..5 {
        let key = crate::job_key(number);
        strays.push(stray(&site, &owner, &[("FARGATE_RUNNER_JOB", &key)]).await);
    }
    // From the beginning of the clean-up on.
    let cleaned = LiveJobKeys::default();
    let reaping = async {
        let mut jobs = JoinSet::new();
        for _ in 0..JOBS {
            jobs.spawn_local(whole(Rc::clone(&site), Rc::clone(&cleaned)));
        }
        let (mut reaps, mut stopped, mut needed) = (0, 0, 0);
        while !jobs.is_empty() {
            while let Some(ended) = jobs.try_join_next() {
                ended.expect("a job that goes well");
            }
            let seen = reap(&site, &[], 0).await;
            // A clean-up that still runs looks like one that was killed, and both end with the same state.
            for job in seen.ended_for("cut-short") {
                assert!(cleaned.borrow().contains(&job), "{job}: {}", seen.document);
            }
            for orphan in seen.orphans() {
                // `tasks reap` may see a task that is being cleaned up. Only the strays have no record.
                assert!(
                    ["stopped no-record", "stopped cleaned-up", "seen-once cleaned-up"]
                        .contains(&orphan.as_str())
                        || ["stopped cut-short", "settled cut-short"].contains(&orphan.as_str())
                        || orphan.starts_with("seen-once ")
                        || orphan.starts_with("spared "),
                    "{orphan}: {}",
                    seen.document
                );
                stopped += usize::from(orphan == "stopped no-record");
            }
            needed = needed.max(seen.needed());
            reaps += 1;
        }
        (reaps, stopped, needed)
    };
    let (reaps, stopped, needed) = LocalSet::new().run_until(reaping).await;
    assert!(reaps >= 2 && needed >= 2, "{reaps} reaps saw at most {needed} live tasks");
    assert_eq!(stopped, strays.len());
    let Ok(site) = Rc::try_unwrap(site) else { panic!("no job is left") };
    site.close().await;
}

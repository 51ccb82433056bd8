//! Asks ECS about the tasks of one cluster that somebody waits for, a hundred with one call.
//!
//! What came of it is kept by `host_watch`. It never gives up: while ECS does not answer, whoever waits asks ECS
//! itself.

use std::sync::Arc;
use std::time::Duration;

use fargate_model::backoff::{RetryBackoff, jittered};
use tokio::time::{sleep, sleep_until, timeout};

use crate::account_cluster::AccountCluster;
use crate::host_watch::HostWatch;
use crate::read_budget::ReadBudget;

/// Pauses after calls that failed. Ours.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Watches until it is dropped.
pub async fn watch_cluster(cluster: Arc<AccountCluster>, watch: HostWatch, budget: ReadBudget) {
    let place = cluster.ecs.place(&cluster.cluster);
    let pauses = || RetryBackoff::doubling(FIRST_PAUSE, LONGEST_PAUSE);
    let mut backoff = pauses();
    loop {
        wait_until_due(&watch, &place).await;
        budget.take().await;
        let tasks = watch.due(&place);
        if tasks.is_empty() {
            continue;
        }
        let call = cluster.ecs.describe_batch(&cluster.cluster, &tasks);
        let within = cluster.profile.timeouts.aws_call;
        let (words, is_passing) = match timeout(within, call).await {
            Ok(Ok(found)) => {
                watch.take_in(&place, &tasks, found);
                backoff = pauses();
                continue;
            }
            Ok(Err(error)) => (error.to_string(), error.is_transient()),
            Err(_) => (format!("DescribeTasks: no answer within {} s", within.as_secs()), true),
        };
        watch.not_answered(&place, &tasks, (&words, is_passing));
        sleep(jittered(backoff.next_pause())).await;
    }
}

async fn wait_until_due(watch: &HostWatch, place: &fargate_driver::daemon::TaskPlace) {
    loop {
        // Asked for before the look, so that nobody who comes in between is missed.
        let woken = watch.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        match watch.next_due(place) {
            Some(due) => {
                tokio::select! {
                    () = sleep_until(due) => return,
                    () = woken => {}
                }
            }
            None => woken.await,
        }
    }
}

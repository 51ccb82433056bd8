//! What a job does about a task that Spot takes back: it tells so as soon as ECS does, and counts it
//! for the jobs to come.
//!
//! Who is to blame for the end is decided in `verdict`.

use std::time::Duration;

use fargate_model::cause::FailureCause;
use fargate_state::{JobRecord, LaunchRequest, StateFolder};
use tokio::time::{sleep, timeout};

use crate::context::JobContext;
use crate::task::{CauseFacts, stopped};
use crate::verdict::RunVerdict;

/// How long ECS is asked why the task was told to end. AWS gives a Spot task two minutes between
/// SIGTERM and SIGKILL, and often less is left. Source: Amazon ECS Developer Guide, "Amazon ECS
/// clusters for Fargate", "Fargate Spot termination notices".
const ASK_FOR: Duration = Duration::from_secs(30);
/// Time between two questions. It is not a question for every job at once.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The line for the job's log when its task was told to end. `None` unless Spot takes the task back.
///
/// It asks nothing about a task that cannot be on Spot.
pub async fn spot_notice(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
) -> Option<String> {
    launch(record).filter(|launch| launch.purchase.may_be_interrupted())?;
    timeout(ASK_FOR, ask(folder, record, context)).await.ok().flatten()
}

async fn ask(folder: &StateFolder, record: &JobRecord, context: &JobContext) -> Option<String> {
    let task = record.location.task.as_ref()?;
    let ecs = context.ecs_in(Some(record.location.region.clone())).await.ok()?;
    let ecs = ecs.sharing(folder, context.profile());
    let own = launch(record)?.containers.first().map_or("", |own| own.name.as_str());
    loop {
        if let Ok(Some(seen)) = ecs.describe(&record.location.cluster, task).await {
            let why = stopped(&seen, own, &CauseFacts::default(), &context.masker);
            if why.cause == FailureCause::Spot {
                return Some(format!(
                    "fargate-runner: AWS takes this Spot task back, and ends it within two minutes \
                     ({}). If the script has not ended by then, the job ends as a system failure",
                    why.line()
                ));
            }
            if seen.stop_code.is_some() {
                return None;
            }
        }
        sleep(ASK_AGAIN).await;
    }
}

/// Counts the interruption, if this verdict says that there was one.
pub async fn count_interruption(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
    verdict: &RunVerdict,
) {
    let is_spot = matches!(verdict, RunVerdict::System(why) if why.cause == FailureCause::Spot);
    if let Some(launch) = launch(record).filter(|_| is_spot) {
        let limits = context.breaker_limits();
        let provider = launch.purchase.name();
        let breaker = folder.capacity_breaker(&record.location.region, &provider, limits);
        breaker.failed(launch.token.as_str(), context.clock.since_1970()).await;
    }
}

/// The launch of the job's task.
fn launch(record: &JobRecord) -> Option<&LaunchRequest> {
    record.launches.iter().rev().find(|launch| launch.task == record.location.task)
}

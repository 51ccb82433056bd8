//! Where the task of a job comes from: a launch of its own today, a pool of warm tasks later.
//!
//! A task is known by its launch alone. The job is bound to it when the task is claimed, so that a task
//! can be launched before its job is known. What happens to a claimed task is the same for all sources.

use std::future::Future;

use fargate_config::PublicIp;
use fargate_model::cause::CauseReport;
use fargate_model::job::JobKey;
use fargate_state::LaunchRequest;

use super::event::TaskStartProgress;
use super::launch_error::LaunchError;
use super::launch_places::LaunchPlace;
use super::observation::ObservedTask;
use super::spec::{JOB_VARIABLE, TAG_PREFIX};
use crate::session::TaskLogin;

/// A task that belongs to one job from here on. Nobody has talked to it yet.
pub struct ClaimedTask {
    /// The launch that started it, which is its identity.
    pub launch: LaunchRequest,
    /// What ECS said of it last.
    pub seen: ObservedTask,
    /// Who logs in, and which host is expected. The keys are the launch's.
    pub login: TaskLogin,
    /// Whether it has a public address, and whether that is dialled.
    pub public_ip: PublicIp,
    /// Whether another task follows on other capacity if AWS takes this one back.
    pub has_other_capacity: bool,
}

/// Gives one job its tasks, one at a time.
pub trait TaskSource {
    /// Claims the next task. It stands in the job's record before this returns, so that a clean-up
    /// stops it, whatever happens to this process.
    ///
    /// # Errors
    ///
    /// Returns [`LaunchError`] if there is no task, or if nobody knows whether there is one. In the
    /// second case, the record holds the open launch.
    fn claim(
        &mut self,
        report: &mut dyn FnMut(TaskStartProgress<'_>),
    ) -> impl Future<Output = Result<ClaimedTask, LaunchError>>;

    /// Learns why the task of the last claim did not come up, so that the next one comes from elsewhere
    /// if that may help. Returns from where, if so.
    fn turn_from(&mut self, why: &CauseReport) -> impl Future<Output = Option<LaunchPlace>>;
}

/// The job of a launch, and who logs in to its task.
#[derive(Clone)]
pub struct JobBinding {
    /// The job's key.
    pub job: JobKey,
    /// Who logs in, and which host is expected.
    pub login: TaskLogin,
}

impl JobBinding {
    /// The same launch for this job. The key stands in a tag, and in a variable for those who may not
    /// read tags.
    #[must_use]
    pub fn bind(&self, mut launch: LaunchRequest) -> LaunchRequest {
        launch.tags.insert(format!("{TAG_PREFIX}job"), self.job.to_string());
        if let Some(first) = launch.containers.first_mut() {
            first.environment.insert(JOB_VARIABLE.to_owned(), self.job.to_string());
        }
        launch
    }
}

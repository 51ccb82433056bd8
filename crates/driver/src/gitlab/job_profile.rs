//! Under which profile the stages of one job run. `config` and `prepare` choose it by what the forge says
//! of the job. `run` and `cleanup` take the one that the job's record names, because the configuration may
//! have changed in between.
//!
//! The rule of the choice stands in `fargate-config`.

use fargate_config::{ConfigError, JobProfile, ProfileChoice, ProfileChoiceError, RunnerConfig};
use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::job::JobKey;
use fargate_state::{JobRecord, StateFolder};

use super::JobResponse;
use crate::context::JobContext;

/// Why a job has no profile.
#[derive(Clone, Debug)]
pub enum JobProfileError {
    /// The file has no such profile.
    Config(ConfigError),
    /// No profile is for the job.
    Refused(Box<CauseReport>),
}

/// The profile of the job. `named` is that of `--profile`.
///
/// # Errors
///
/// Returns [`JobProfileError`] if no profile is for the job, or the configuration has no such profile.
pub fn chosen_profile(
    config: &RunnerConfig,
    named: Option<&str>,
    response: &JobResponse,
) -> Result<ProfileChoice, JobProfileError> {
    config.choose_profile(named, &response.facts).map_err(|error| match error {
        ProfileChoiceError::Config(error) => JobProfileError::Config(error),
        error @ ProfileChoiceError::NotForJob { .. } => {
            let why = CauseReport::new(FailureCause::ProfileNotForJob);
            JobProfileError::Refused(Box::new(why.with("refusal", error.to_string())))
        }
    })
}

/// The profile of [`profile_of_record`] for the record of the job `key`. `None` also if there is no record
/// that can be read.
#[must_use]
pub fn recorded_profile(
    config: &RunnerConfig,
    named: Option<&str>,
    key: &JobKey,
) -> Option<JobProfile> {
    let any = any_profile(config, named)?;
    let folder = StateFolder::open(&config.state_dir, any.timeouts.state_lock).ok()?;
    Some(of_record(config, any, &folder.record(key).ok()??))
}

/// The profile that this record names, with the role that it names. `None` if the configuration has no
/// profile that can be used.
///
/// If the configuration has that profile no more, another one serves: the record itself says where the task
/// is and how it is reached, and the profile only gives the deadlines. The same holds for a record of a
/// version that wrote no profile down; then `named` goes first.
#[must_use]
pub fn profile_of_record(
    config: &RunnerConfig,
    named: Option<&str>,
    record: &JobRecord,
) -> Option<JobProfile> {
    any_profile(config, named).map(|any| of_record(config, any, record))
}

fn of_record(config: &RunnerConfig, any: JobProfile, record: &JobRecord) -> JobProfile {
    let Some(recorded) = &record.profile else { return any };
    let mut profile = config.profile(recorded.name.as_deref()).unwrap_or(any);
    profile.assume_role_arn.clone_from(&recorded.role_arn);
    profile.assume_role_external_id.clone_from(&recorded.role_external_id);
    profile.assume_role_session_name.clone_from(&recorded.role_session_name);
    profile
}

/// The profile of this name, or else `[defaults]`, or else the first of the file that is one.
#[must_use]
pub fn any_profile(config: &RunnerConfig, named: Option<&str>) -> Option<JobProfile> {
    let first = named.into_iter().map(Some).chain([None]);
    let names = first.chain(config.profile_names().into_iter().map(Some));
    names.into_iter().find_map(|name| config.profile(name).ok())
}

/// Writes down for the clean-up that nothing was started for this job, so that it need not ask ECS.
pub async fn not_begun(context: &JobContext, key: &JobKey) {
    let opened = StateFolder::open(&context.settings.state_dir, context.timeouts().state_lock);
    let written = match opened {
        // An earlier `prepare` of the same job may have left a task, which the clean-up must find.
        Ok(folder) => match folder.record(key) {
            Ok(None) => folder.bury(key, None).await,
            _ => Ok(()),
        },
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        emit(JobEvent::StateNotWritten { message: error.to_string() });
    }
}

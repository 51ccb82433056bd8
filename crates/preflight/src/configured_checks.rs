//! All accounts that a configuration names, checked side by side; and what is said where there is no
//! configuration or no way to an account.

use std::path::Path;
use std::time::Duration;

use fargate_aws::AwsAccount;
use fargate_config::{ConfigError, RunnerConfig};
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use fargate_status_answers::{CheckLine, CheckOutcome};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::check_run::{CheckedAccount, check_account};
use crate::job_needs::{GivenManager, JobNeeds};
use crate::read::read_account;

/// What the caller adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct CheckRequest {
    /// One profile; without it all of them.
    pub profile: Option<String>,
    /// How many jobs run at one time, if the configuration does not say it.
    pub concurrency: Option<u32>,
    /// Where GitLab is.
    pub gitlab_url: Option<String>,
    /// Where the manager is.
    pub manager: GivenManager,
    /// Asks the registry for the image of each profile, too.
    pub pulls: bool,
}

/// Checks what the jobs of the configuration need, and ends within `limit`.
///
/// # Errors
///
/// [`ConfigError`], if there is no such profile or if it lacks a required key.
pub async fn check_configuration(
    config: &RunnerConfig,
    request: &CheckRequest,
    masker: &SharedMasker,
    limit: Duration,
) -> Result<Vec<CheckedAccount>, ConfigError> {
    let deadline = Instant::now() + limit;
    let mut all = JobNeeds::of(config, request.profile.as_deref())?;
    for needs in &mut all {
        needs.concurrency = request.concurrency.or(needs.concurrency);
        needs.gitlab_url.clone_from(&request.gitlab_url);
        needs.manager.clone_from(&request.manager);
        needs.pull = request.pulls;
    }
    Ok(join_all(all.iter().map(|needs| check_one(needs, masker, deadline))).await)
}

async fn check_one(needs: &JobNeeds, masker: &SharedMasker, deadline: Instant) -> CheckedAccount {
    let Some(profile) = needs.profiles.first() else { return CheckedAccount::default() };
    match AwsAccount::open(profile.region.clone(), profile, masker).await {
        Ok(account) => check_account(needs, &read_account(&account, needs, deadline).await),
        Err(why) => closed_account(&why),
    }
}

/// What is said if not even a request could be made: nothing about the account is known.
fn closed_account(why: &CauseReport) -> CheckedAccount {
    let line = CheckLine {
        id: "aws-settings".to_owned(),
        name: "AWS settings".to_owned(),
        outcome: CheckOutcome::Unknown,
        found: format!("nothing is known of the account: {}", why.headline()),
        fix: Some(why.action()),
        command: why.command(),
    };
    CheckedAccount { lines: vec![line], ..CheckedAccount::default() }
}

/// What is said if the configuration file is missing or cannot be used. `problem` is one line.
#[must_use]
pub fn no_configuration(file: &Path, problem: &str) -> CheckedAccount {
    let exists = file.exists();
    let (fix, command) = match exists {
        true => ("correct the file", "fargate-runner config check"),
        false => (
            "write the file, and fill in cluster, subnets, security_groups, and image or task_definition",
            "fargate-runner config init",
        ),
    };
    let line = CheckLine {
        id: "configuration".to_owned(),
        name: "Configuration".to_owned(),
        outcome: CheckOutcome::Fail,
        found: problem.to_owned(),
        fix: Some(fix.to_owned()),
        command: Some(command.to_owned()),
    };
    let consequence = "no job can start without a configuration".to_owned();
    CheckedAccount {
        lines: vec![line],
        consequences: vec![consequence],
        ..CheckedAccount::default()
    }
}

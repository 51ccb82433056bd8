//! What happens between the first answer of a task and the end of its start: it gets its lease, and the
//! record gets what later stages need.

use std::time::Duration;

use fargate_config::{JobProfile, JobTimeouts, Shell, TaskSecret};
use fargate_events::{JobEvent, emit};
use fargate_fail_point::FailPoint;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_protocol::SECRET_FILES;
use fargate_state::{JobRecordWriter, TaskOrigin, TaskServer, version};

use super::provision_error::ProvisionError;
use super::task_keys::broken_key;
use super::task_request::TaskRequest;
use crate::session::{AgentInfo, LoginError, StockTaskSettings, TaskSession};
use crate::task::{AcquiredTask, CauseFacts, login_failed};

/// Gives the peer its terms, and writes down what later stages need. The host key comes first, so
/// that it is pinned from here on.
///
/// # Errors
///
/// Returns [`ProvisionError`] if the peer does not take its terms or lacks what the profile needs, or the
/// record cannot be written.
pub async fn hand_over(
    acquired: AcquiredTask,
    record_writer: &mut JobRecordWriter,
    profile: &JobProfile,
    request: &TaskRequest,
) -> Result<AcquiredTask, ProvisionError> {
    let host_key = acquired.host_key.to_openssh().map_err(broken_key)?;
    if let TaskSession::Agent(agent) = &acquired.session
        && let Some(why) = lacks_secret_files(&agent.agent, &profile.secrets)
    {
        return Err(why.into());
    }
    record_writer.update(|record| record.host_key = host_key).await?;
    let peer = match give_terms(&acquired.session, profile, request).await {
        Ok(peer) => peer,
        Err(error) => {
            return Err(login_failed(&error, acquired.address, &CauseFacts::default()).into());
        }
    };
    record_writer
        .update(|record| {
            record.address = Some(acquired.address);
            record.peer = Some(peer);
            record.can_keep = acquired.session.can_keep() && request.origin == TaskOrigin::Gitlab;
            record.hold_s = request.hold.filter(|_| record.can_keep).map(|hold| hold.as_secs());
            record.ready = true;
        })
        .await?;
    Ok(acquired)
}

async fn give_terms(
    session: &TaskSession,
    profile: &JobProfile,
    request: &TaskRequest,
) -> Result<TaskServer, LoginError> {
    let timeouts = &profile.timeouts;
    match session {
        TaskSession::Agent(agent) => {
            agent.lease(lease(timeouts, request)).await?;
            FailPoint::TermsGiven.reached();
            tell_age(&agent.agent);
            Ok(TaskServer::Agent(agent.agent.name.clone()))
        }
        TaskSession::Stock(stock) => {
            let shell = match profile.shell {
                Shell::Bash | Shell::Sh => profile.shell.to_string(),
                Shell::Runner => Shell::Sh.to_string(),
            };
            let terms = StockTaskSettings { lifetime: request.lifetime, idle: request.idle, shell };
            let found = stock.ready(&terms, timeouts.session_open).await?;
            FailPoint::TermsGiven.reached();
            let (group, watchdog) = (found.group, found.watchdog);
            emit(JobEvent::SshdFound { server: stock.server.clone(), group, watchdog });
            if !watchdog || !group {
                emit(JobEvent::SshdLess { watchdog, group });
            }
            Ok(TaskServer::Sshd(stock.server.clone()))
        }
    }
}

/// Why an agent is of no use to a profile whose secrets are files. Without them the job's scripts would
/// fail later and say less.
fn lacks_secret_files(agent: &AgentInfo, secrets: &[TaskSecret]) -> Option<CauseReport> {
    let files: Vec<_> = secrets.iter().filter(|own| own.as_file).map(|own| &own.name[..]).collect();
    if files.is_empty() || agent.has(SECRET_FILES) {
        return None;
    }
    let (names, name) = (files.join(", "), &agent.name);
    let why = CauseReport::new(FailureCause::AgentWithoutFiles);
    Some(why.because(format!("The profile gives {names} as files, and {name} makes none.")))
}

fn tell_age(agent: &AgentInfo) {
    let name = agent.name.clone();
    if let Some(words) = agent.too_old() {
        emit(JobEvent::AgentOld { agent: name, message: words });
    } else if agent.is_ahead(version::this().day) {
        emit(JobEvent::AgentNewer { agent: name });
    }
}

fn lease(timeouts: &JobTimeouts, request: &TaskRequest) -> fargate_protocol::TaskLease {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    fargate_protocol::TaskLease {
        idle_ms: ms(request.idle),
        deadline_ms: ms(request.lifetime),
        client_gone_ms: ms(timeouts.client_gone),
        next_stage_grace_ms: Some(ms(timeouts.next_stage_grace)),
        hosts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fargate_model::cause::ColourMode;
    use fargate_model::lifetime::{MAX_JOB_TIMEOUT, MAX_LIFETIME_MARGIN};
    use fargate_state::TaskOrigin;

    use super::*;

    #[test]
    fn the_agent_is_told_the_whole_time_of_a_job_of_a_day_of_a_month_and_of_any_length() {
        let told = |lifetime, idle| {
            let request = TaskRequest {
                origin: TaskOrigin::Exec,
                job: fargate_model::job::JobKey::from_bits([7; 32]),
                job_id: "exec-1".to_owned(),
                lifetime,
                idle,
                tags: BTreeMap::new(),
                manager: None,
                project: None,
                is_protected: false,
                hold: None,
                description: Box::default(),
            };
            let lease = lease(&JobTimeouts::default(), &request);
            (lease.deadline_ms, lease.idle_ms, lease.client_gone_ms)
        };
        let minute = Duration::from_secs(60);
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(told(day + 15 * minute, 10 * minute), (87_300_000, 600_000, 120_000));
        let longest = MAX_JOB_TIMEOUT + MAX_LIFETIME_MARGIN;
        assert_eq!(told(longest, day), (32 * 86_400_000, 86_400_000, 120_000));
        assert_eq!(told(Duration::MAX, Duration::MAX).0, u64::MAX);
    }

    #[test]
    fn an_agent_that_makes_no_files_is_refused_only_where_the_profile_has_some() {
        let agent = |features: &[&str]| AgentInfo {
            name: "fargate-agent 0.1.0".to_owned(),
            day: None,
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        };
        let secret = |as_file| TaskSecret {
            name: "DEPLOY_KEY".to_owned(),
            from: "/ci/deploy-key".to_owned(),
            as_file,
        };
        assert_eq!(lacks_secret_files(&agent(&[]), &[]), None);
        assert_eq!(lacks_secret_files(&agent(&[]), &[secret(false)]), None);
        assert_eq!(lacks_secret_files(&agent(&[SECRET_FILES]), &[secret(true)]), None);
        let why = lacks_secret_files(&agent(&["resume"]), &[secret(true)]).expect("a cause");
        insta::assert_snapshot!(why.block(ColourMode::Off), @"
        error: the agent in the image does not write secrets into files
          The profile gives DEPLOY_KEY as files, and fargate-agent 0.1.0 makes none.
          Fix: put the agent of this release into the image, or leave out `as_file` in `secrets` of the profile
            fargate-runner --version
        ");
    }
}

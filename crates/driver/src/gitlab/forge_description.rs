//! What the history learns of a job of GitLab's: only what the trusted response says.

use fargate_events::JobDescription;

use super::JobResponse;

/// The part of the description that the forge gives.
pub(super) fn forge_description(response: &JobResponse) -> JobDescription {
    let forge = response.forge.clone();
    JobDescription {
        id: response.name(),
        origin: "gitlab".to_owned(),
        forge_host: Some(response.identity.host.clone()),
        forge_url: forge.url,
        project_id: Some(response.identity.project),
        project: response.facts.project.clone(),
        name: forge.name,
        git_ref: forge.git_ref,
        sha: forge.sha,
        pipeline: response.pipeline,
        user_id: forge.user_id,
        timeout_s: response.timeout.map(|timeout| timeout.as_secs()),
        queued_s: forge.queued_s,
        queue_size: forge.queue_size,
        ..JobDescription::default()
    }
}

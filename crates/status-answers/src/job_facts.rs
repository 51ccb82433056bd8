//! What one would tell AWS support of a job, by name. Only names that AWS or the operator gave; no secret.

use fargate_job_journal::{JobStory, TryStory};

use crate::JobDetail;

/// The facts of this try, in the order in which people ask for them. What is not known is left out.
pub(crate) fn job_facts(story: &JobStory, of: &TryStory) -> Vec<JobDetail> {
    let (about, times) = (&story.description, &of.times);
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        let value = value.filter(|value| !value.is_empty());
        facts.extend(value.map(|value| JobDetail { name: name.to_owned(), value }));
    };
    add("task", of.task.clone());
    add("state", Some(times.status.clone()));
    add("stop code", times.stop_code.clone());
    add("stop reason", times.stop_reason.clone());
    add("container reason", times.container_reason.clone());
    add("container exit", times.container_exit.map(|exit| exit.to_string()));
    let zone = times.zone.as_ref().map_or_else(String::new, |zone| format!(" ({zone})"));
    let subnet = times.subnet.clone().or_else(|| of.subnet.clone());
    add("subnet", subnet.map(|subnet| format!("{subnet}{zone}")));
    add("address", times.address.clone());
    add("security groups", Some(of.security_groups.join(", ")));
    add("cluster", Some(about.cluster.clone()));
    add("region", Some(about.region.clone()));
    add("image", about.image.clone());
    add("image digest", about.image_digest.clone());
    add("architecture", times.architecture.clone().or_else(|| about.architecture.clone()));
    add("task definition", of.definition.clone());
    add("platform", times.platform.clone());
    let capacity = times.capacity.clone().or_else(|| of.asked_capacity.clone());
    add("capacity", capacity);
    add("disk", about.disk_gib.map(|gib| format!("{gib} GiB")));
    add("host key", of.proof.clone());
    add("server", of.peer.clone());
    add("client token", of.launch.clone());
    add("started by", Some(about.host.clone()));
    add("role", about.role.clone());
    add("task role", about.task_role.clone());
    add("profile", about.profile.clone());
    facts
}

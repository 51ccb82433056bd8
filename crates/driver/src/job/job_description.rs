//! What the history learns of a job and its task before ECS says anything: who it is, from the request, and
//! what it gets, from its profile.

use fargate_config::JobProfile;
use fargate_events::{JobDescription, JobFact, emit_fact};
use fargate_model::size::FargateSize;

use crate::task::TaskSpec;

/// Tells what is known before anything was asked for. `known` says who the job is.
pub fn tell_profile(known: &JobDescription, profile: &JobProfile, attempt: u32, host: &str) {
    let of_profile = with_profile(known.clone(), profile);
    let described = JobDescription { attempt, host: host.to_owned(), ..of_profile };
    emit_fact(JobFact::Described(Box::new(described)));
}

/// Tells what is known once the task is specified, in this Region.
pub(super) fn tell_spec(
    known: &JobDescription,
    profile: &JobProfile,
    spec: &TaskSpec,
    attempt: u32,
    region: &str,
) {
    let described = JobDescription {
        attempt,
        host: spec.owner.to_string(),
        region: region.to_owned(),
        cluster: spec.cluster.clone(),
        size: size(spec.cpu_units, spec.memory_mib),
        disk_gib: spec.ephemeral_storage_gib.or(profile.ephemeral_storage_gib),
        ..with_profile(known.clone(), profile)
    };
    emit_fact(JobFact::Described(Box::new(described)));
}

fn with_profile(known: JobDescription, profile: &JobProfile) -> JobDescription {
    let job_size = &profile.job_size;
    JobDescription {
        profile: profile.name.clone(),
        region: profile.region.clone().unwrap_or_default(),
        cluster: profile.cluster.clone(),
        role: profile.assume_role_arn.clone(),
        task_role: profile.task_role.clone(),
        size: size(
            job_size.cpu_units.or(profile.cpu_units),
            job_size.memory_mib.or(profile.memory_mib),
        ),
        disk_gib: job_size.ephemeral_storage_gib.or(profile.ephemeral_storage_gib),
        image: profile.image.clone().or_else(|| profile.task_definition.clone()),
        volumes: u32::try_from(profile.storage.len()).unwrap_or(u32::MAX),
        ..known
    }
}

/// Where the task definition decides a part of it, ECS says it later.
fn size(cpu_units: Option<u32>, memory_mib: Option<u32>) -> Option<FargateSize> {
    let (cpu_units, memory_mib) = (cpu_units?, memory_mib?);
    Some(FargateSize { cpu_units, memory_mib })
}

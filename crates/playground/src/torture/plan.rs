//! What each job of a torture does and what is done to it, drawn from the seed and its number alone.

use fastrand::Rng;

use super::harm::JobHarm;
use super::job_script::{JobScript, ScriptKind, TaskKiller};
use super::network::NetworkHarm;
use crate::runner::{GitInfo, GitLabJob, JobArtifact, UploadCondition};

/// Milliseconds of work of a script that hears that its task was told to end, even if the agent passes that
/// on late. ECS gives the task 30 s.
const OUTLASTS_MS: u32 = 13_000;

/// One job and what is done to it.
#[derive(Clone, Debug)]
pub struct TortureJob {
    /// Its place in the torture, from 0.
    pub number: u64,
    /// The job.
    pub job: GitLabJob,
    /// Its script.
    pub script: JobScript,
    /// What is done to it.
    pub harm: JobHarm,
    /// What the network does to it.
    pub network: NetworkHarm,
}

impl TortureJob {
    /// Whether the job may end as the system's failure because of what is done to it.
    #[must_use]
    pub fn may_be_lost(&self) -> bool {
        self.harm.may_cost_the_job() || self.network.may_cost_the_job()
    }
}

/// The `number`th job of the torture of `seed`.
#[must_use]
pub fn draw_job(seed: u64, number: u64) -> TortureJob {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
    let kind = ScriptKind::draw(&mut rng);
    let network = NetworkHarm::draw(&mut rng, kind.bytes());
    let mut harm = JobHarm::draw(&mut rng);
    // Half of the jobs with a broken network are not harmed otherwise.
    if network != NetworkHarm::Plain && (rng.bool() || !harm.is_one_of_a_pair()) {
        harm = JobHarm::None;
    }
    let script = draw_script(&mut rng, kind, &harm);
    let git = GitInfo {
        repo_url: "http://gitlab.example/group/project.git".to_owned(),
        ..GitInfo::default()
    };
    let id = number + 1;
    let mut job = GitLabJob::new(id, &format!("job-{number}"), git, &[&script.text(id)])
        .with_variable("GIT_STRATEGY", "none")
        // What a job sets must select nothing.
        .with_variable("FARGATE_TASK_DEFINITION", "another:1")
        .with_variable("FARGATE_SUBNETS", "subnet-another");
    job.token = format!("glcbt-canary-{seed:x}-{number:x}-{:x}", rng.u64(..));
    if rng.bool() {
        job = job.with_after_script(&["echo after"]);
    }
    if harm == JobHarm::EndsItself {
        // A stage behind the script whose failure is the job's.
        job.artifacts.push(JobArtifact { when: UploadCondition::Always, ..JobArtifact::default() });
    }
    TortureJob { number, job, script, harm, network }
}

/// A script that is told to end saves its work in most cases. It works until it is told, or it ends before.
fn draw_script(rng: &mut Rng, kind: ScriptKind, harm: &JobHarm) -> JobScript {
    let saves = rng.u8(0..4) < if matches!(harm, JobHarm::ToldToEnd(_)) { 3 } else { 1 };
    let works_ms = match harm {
        // A script that does not save would only die later.
        JobHarm::ToldToEnd(_) if saves && rng.u8(0..3) == 0 => OUTLASTS_MS,
        JobHarm::ToldToEnd(_) | JobHarm::SidecarEnds(_) | JobHarm::EndsItself => rng.u32(0..1500),
        // It must still run when the harm comes.
        JobHarm::KnownEarly(_) => 1500,
        _ => rng.u32(0..300),
    };
    let killer = (*harm == JobHarm::EndsItself).then(|| TaskKiller::draw(rng));
    JobScript { kind, saves, works_ms, killer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_the_same_whenever_it_is_drawn_and_seeds_differ() {
        let told = |seed, number| {
            let planned = draw_job(seed, number);
            let (script, harm, network) = (planned.script, planned.harm, planned.network);
            format!("{script:?} {harm:?} {network:?} {}", planned.job.response())
        };
        assert_eq!(told(7, 3), told(7, 3));
        assert_ne!(told(7, 3), told(8, 3));
        assert_ne!(told(7, 3), told(7, 4));
    }

    #[test]
    fn every_kind_of_harm_is_drawn_within_a_few_hundred_jobs() {
        let drawn: std::collections::BTreeSet<_> = (0..500)
            .map(|n| std::mem::discriminant(&draw_job(1, n).harm))
            .map(|d| format!("{d:?}"))
            .collect();
        assert_eq!(drawn.len(), if cfg!(debug_assertions) { 14 } else { 13 });
    }

    #[test]
    fn pairs_are_drawn_and_none_of_them_hides_the_relay() {
        let drawn: Vec<_> = (0..2000).map(|number| draw_job(1, number)).collect();
        let pairs: Vec<_> = drawn
            .iter()
            .filter(|planned| {
                planned.network != NetworkHarm::Plain && planned.harm != JobHarm::None
            })
            .collect();
        assert!(pairs.len() > 200, "{}", pairs.len());
        assert!(pairs.iter().all(|planned| planned.harm.is_one_of_a_pair()));
        let with = |harm: fn(&JobHarm) -> bool| pairs.iter().any(|planned| harm(&planned.harm));
        assert!(with(|harm| *harm == JobHarm::Cancelled));
        assert!(with(|harm| matches!(harm, JobHarm::Killed { .. })));
        assert!(with(|harm| matches!(harm, JobHarm::Rule { .. })));
    }
}

//! A whole reap in one call: a task or a record must be seen orphaned twice, some time apart, before
//! anything happens to it. Both looks are made here, so that nothing of the first one has to be kept
//! on disk, where it could get old or be forged.
//!
//! What an orphan is, and how it ends, is the reapers' own business.

use std::time::Duration;

use fargate_aws::CallCounter;
use fargate_config::{ConfigError, JobProfile, RunnerConfig};
use fargate_mask::SharedMasker;

use crate::cluster_reaper::ClusterReaper;
use crate::host_reaper::HostReaper;
use crate::reap_error::ReaperSettings;
use crate::report::SweepReport;
use crate::stop_orphans::ReapMode;

/// How far a reap has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapProgress {
    /// So many of so many orphans have been dealt with.
    Stopping {
        /// Those that have been.
        done: usize,
        /// All that were seen twice.
        all: usize,
    },
    /// The first look is over, and a second one follows.
    SeenOnce {
        /// How many orphans were seen.
        orphans: usize,
        /// When the second look follows.
        again_in: Duration,
    },
}

impl ReaperSettings {
    /// This host under every profile of the file, or under the one that is asked for. `masker` masks
    /// what AWS says, and learns the keys that are read.
    ///
    /// # Errors
    ///
    /// A profile that is not there or lacks a key.
    pub fn of_config(
        config: &RunnerConfig,
        profile: Option<&str>,
        masker: &SharedMasker,
    ) -> Result<Self, ConfigError> {
        let (profiles, is_whole) = match profile {
            Some(name) => (vec![config.profile(Some(name))?], false),
            None => (all_profiles(config)?, true),
        };
        let (owner, state_dir) = (config.owner.clone(), config.state_dir.clone());
        let (masker, calls) = (masker.clone(), CallCounter::default());
        Ok(Self { owner, state_dir, profiles, is_whole, masker, calls })
    }
}

fn all_profiles(config: &RunnerConfig) -> Result<Vec<JobProfile>, ConfigError> {
    let named = config.profile_names().into_iter().map(|name| config.profile(Some(name)));
    let mut profiles = named.collect::<Result<Vec<JobProfile>, ConfigError>>()?;
    match config.profile(None) {
        Ok(defaults) => profiles.push(defaults),
        // Where each profile has its own, `[defaults]` may lack what a job needs.
        Err(_) if !profiles.is_empty() => {}
        Err(error) => return Err(error),
    }
    Ok(profiles)
}

impl HostReaper {
    /// Looks at everything, and if anything seems orphaned, once more; ends what was seen twice.
    pub async fn reap(
        &mut self,
        intent: ReapMode,
        told: &mut dyn FnMut(ReapProgress),
    ) -> SweepReport {
        let apart = self.apart();
        look_twice(apart, told, async |told| self.sweep(intent, told).await).await
    }
}

impl ClusterReaper {
    /// The same for the tasks of all hosts.
    pub async fn reap(
        &mut self,
        intent: ReapMode,
        told: &mut dyn FnMut(ReapProgress),
    ) -> SweepReport {
        let apart = self.apart();
        look_twice(apart, told, async |told| self.sweep(intent, told).await).await
    }
}

async fn look_twice(
    apart: Duration,
    told: &mut dyn FnMut(ReapProgress),
    mut sweep: impl AsyncFnMut(&mut dyn FnMut(usize, usize)) -> SweepReport,
) -> SweepReport {
    let first = sweep(&mut |done, all| told(ReapProgress::Stopping { done, all })).await;
    let orphans = first.seen_once();
    if orphans == 0 {
        return first;
    }
    told(ReapProgress::SeenOnce { orphans, again_in: apart });
    // A sleep may end in the tick before.
    tokio::time::sleep(apart + Duration::from_millis(1)).await;
    sweep(&mut |done, all| told(ReapProgress::Stopping { done, all })).await
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fargate_config::UnknownKeyPolicy;
    use fargate_model::job::JobKey;
    use tokio::time::Instant;

    use super::*;
    use crate::orphan_reason::OrphanReason;
    use crate::report::{OrphanOutcome, OrphanReport};

    fn report(done: Option<OrphanOutcome>) -> SweepReport {
        let orphan = |done| OrphanReport {
            task: None,
            job: JobKey::from_bits([7; 32]),
            job_id: None,
            cluster: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
            age: None,
            reason: OrphanReason::NoRecord,
            done,
        };
        SweepReport { orphans: done.map(orphan).into_iter().collect(), ..SweepReport::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_once_is_looked_at_again_and_nothing_else_is() {
        let apart = Duration::from_secs(60);
        let (began, mut heard) = (Instant::now(), Vec::new());
        let mut reports =
            vec![report(Some(OrphanOutcome::Stopped)), report(Some(OrphanOutcome::SeenOnce))];
        let mut told = |progress| heard.push(progress);
        let sweep = async |told: &mut dyn FnMut(usize, usize)| {
            told(0, 1);
            reports.pop().unwrap()
        };
        let second = look_twice(apart, &mut told, sweep).await;
        assert_eq!(second, report(Some(OrphanOutcome::Stopped)));
        assert!(began.elapsed() > apart && reports.is_empty());
        let stopping = ReapProgress::Stopping { done: 0, all: 1 };
        let seen = ReapProgress::SeenOnce { orphans: 1, again_in: apart };
        assert_eq!(heard, [stopping, seen, stopping]);

        let began = Instant::now();
        let once = look_twice(apart, &mut |_| {}, async |_| report(None)).await;
        assert_eq!((once, began.elapsed()), (report(None), Duration::ZERO));
    }

    #[test]
    fn a_host_is_looked_after_under_every_profile_that_jobs_can_run_under() {
        let read = |text: &str| {
            let text = format!("config_version = 1\n{text}");
            let refuse = UnknownKeyPolicy::Refuse;
            fargate_config::parse(&text, Path::new("c"), refuse).unwrap().config
        };
        let keys =
            "subnets = [\"subnet-1\"]\nsecurity_groups = [\"sg-1\"]\ntask_definition = \"ci\"";
        let whole = read(&format!(
            "[defaults]\ncluster = \"ci\"\n{keys}\n[profile.big]\ncpu = 1024\nmemory = 2048"
        ));
        let names = |profile| {
            let settings =
                ReaperSettings::of_config(&whole, profile, &SharedMasker::default()).unwrap();
            let names = settings.profiles.into_iter().map(|profile| profile.name);
            (names.collect::<Vec<_>>(), settings.is_whole)
        };
        assert_eq!(names(None), (vec![Some("big".to_owned()), None], true));
        assert_eq!(names(Some("big")), (vec![Some("big".to_owned())], false));
        // No job can run under these defaults, so nothing of theirs has to be looked at.
        let own = read(&format!("[profile.big]\ncluster = \"ci\"\n{keys}"));
        assert_eq!(
            ReaperSettings::of_config(&own, None, &SharedMasker::default()).unwrap().profiles.len(),
            1
        );
        assert!(ReaperSettings::of_config(&whole, Some("none"), &SharedMasker::default()).is_err());
    }
}

//! The reaper of whole clusters: for tasks of hosts that no longer exist. Their records and names
//! are gone with them.
//!
//! It knows no jobs. It judges by one thing alone: a task of ours carries its deadline as a tag,
//! and this deadline passed long ago. Each task ends itself at its deadline, so only tasks whose
//! agent failed are found here.
//!
//! It never touches a task without our tags, and it uses the clock of ECS, not the one of this
//! host.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_aws::CallCounter;
use fargate_config::JobProfile;
use fargate_driver::task::{ObservedTask, TaggedTasks, reason, survey_tagged};
use fargate_mask::SharedMasker;
use fargate_model::job::JobKey;

use crate::account_cluster::{self, AccountCluster, ClusterSet};
use crate::finding::{FoundOrphan, OrphanIdentity, OrphanSubject};
use crate::orphan_reason::{OrphanReason, UnjudgedReason};
use crate::report::{
    OrphanOutcome, OrphanReport, ReapedCluster, SweepReport, SweepScope, UnjudgedTask,
};
use crate::sightings::OrphanSightings;
use crate::stop_orphans::{self, OrphanStopper, ReapMode, SkipReason};

/// How long ago a deadline must have passed. The clock of the host that wrote it may have been
/// wrong, and an agent may need minutes to end what runs.
pub const MARGIN: Duration = Duration::from_secs(3600);

/// Finds tasks in whole clusters whose deadline passed long ago, and stops them.
#[derive(Debug)]
pub struct ClusterReaper {
    clusters: ClusterSet,
    sightings: OrphanSightings<OrphanIdentity>,
    apart: Duration,
}

/// What the tags of a task say about its job.
#[derive(Clone, Debug, PartialEq, Eq)]
struct JobTags {
    job: JobKey,
    deadline: SystemTime,
}

impl JobTags {
    /// Returns `None` if a tag is missing or is not as a driver writes it. Such a task is not
    /// judged.
    fn of(task: &ObservedTask) -> Option<Self> {
        let tag = |name: &str| task.tags.get(name).filter(|value| !value.is_empty());
        tag("owner")?;
        let job = JobKey::try_from(tag("job")?.clone()).ok()?;
        let seconds: u64 = tag("deadline")?.parse().ok()?;
        // A value that our driver would write in another form was written by somebody else.
        let is_as_written = job.as_str() == tag("job")? && seconds.to_string() == *tag("deadline")?;
        let deadline = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        (is_as_written && seconds > 0).then_some(Self { job, deadline })
    }
}

/// Whether the deadline of the task passed long ago. If ECS knows when the task began and how long
/// it may live, that time must have passed as well, because the clock of the host that wrote the
/// tag may have been wrong.
fn is_overdue(task: &ObservedTask, tags: &JobTags, now: SystemTime) -> bool {
    let over = |end: Option<SystemTime>| {
        end.and_then(|end| end.checked_add(MARGIN)).is_some_and(|end| end < now)
    };
    // Leave a task alone if nobody knows when it began.
    let Some(from) = task.timeline.created else { return false };
    over(Some(tags.deadline)) && task.lifetime.is_none_or(|life| over(from.checked_add(life)))
}

impl ClusterReaper {
    /// Connects to the clusters of these profiles. It neither needs nor reads a state folder.
    pub async fn open(profiles: Vec<JobProfile>, masker: &SharedMasker) -> Self {
        let apart = profiles.iter().map(|profile| profile.timeouts.orphan_recheck).max();
        let apart = apart.unwrap_or_default();
        let clusters = ClusterSet::open(None, profiles, (masker, &CallCounter::default())).await;
        Self { clusters, sightings: OrphanSightings::new(apart), apart }
    }

    /// The clusters that are searched. Empty if no profile leads to one.
    #[must_use]
    pub fn clusters(&self) -> Vec<ReapedCluster> {
        self.clusters.clusters().iter().map(|place| place.cluster()).collect()
    }

    /// The least time between two sightings.
    #[must_use]
    pub fn apart(&self) -> Duration {
        self.apart
    }

    /// Looks at everything once. Stops the tasks that were overdue at an earlier look as well.
    /// `told` gets how many of how many are done.
    pub async fn sweep(
        &mut self,
        intent: ReapMode,
        told: &mut dyn FnMut(usize, usize),
    ) -> SweepReport {
        if !self.clusters.is_whole() {
            self.clusters.reach().await;
        }
        let mut sweep =
            SweepReport { problems: self.clusters.problems(), ..SweepReport::default() };
        let found = self.survey(&mut sweep).await;
        let due = self.sightings.note(found.iter().map(FoundOrphan::mark).collect());
        let make_stopper = |place: &Arc<AccountCluster>| {
            let (place, refused) = (Arc::clone(place), SkipReason::default());
            ClusterTaskStopper { place, refused }
        };
        sweep.orphans = stop_orphans::settle(
            self.clusters.clusters(),
            (found, due),
            intent,
            make_stopper,
            told,
        )
        .await;
        sweep.log(SweepScope::Cluster);
        sweep
    }

    async fn survey(&self, sweep: &mut SweepReport) -> Vec<FoundOrphan> {
        let ask = |place: Arc<AccountCluster>, deadline| async move {
            survey_tagged(&place.ecs, &place.cluster, deadline).await
        };
        let places = self.clusters.clusters();
        let listed = account_cluster::survey_answered(places, ask, &mut sweep.problems).await;
        let overdue =
            |(index, tagged): (usize, TaggedTasks)| judged(index, &places[index], &tagged, sweep);
        listed.into_iter().flat_map(overdue).collect()
    }
}

/// Finds all overdue tasks of one cluster.
fn judged(
    index: usize,
    place: &AccountCluster,
    tagged: &TaggedTasks,
    sweep: &mut SweepReport,
) -> Vec<FoundOrphan> {
    let TaggedTasks { tasks, now } = tagged;
    let Some(now) = *now else {
        // If there is no task, nothing was asked, and so there is no answer that tells the time.
        match tasks.is_empty() {
            true => sweep.clusters += 1,
            false => sweep.problems.push(format!(
                "{}: the answer of ECS had no time, and this host's clock is not used",
                place.words()
            )),
        }
        return Vec::new();
    };
    sweep.clusters += 1;
    let mut found = Vec::new();
    for task in tasks.iter().filter(|task| !task.stopping) {
        let Some(tags) = JobTags::of(task) else {
            sweep
                .left_alone
                .push(UnjudgedTask { task: task.task.clone(), doubt: UnjudgedReason::NoDeadline });
            continue;
        };
        if !is_overdue(task, &tags, now) {
            sweep.needed += 1;
            continue;
        }
        let orphan = OrphanReport {
            task: Some(task.task.clone()),
            job: tags.job,
            job_id: None,
            cluster: place.cluster_name().to_owned(),
            region: place.ecs.region().to_owned(),
            age: task.timeline.created.and_then(|created| now.duration_since(created).ok()),
            reason: OrphanReason::Overdue,
            done: OrphanOutcome::SeenOnce,
        };
        found.push(FoundOrphan {
            finding: OrphanSubject::Task(Box::new(task.clone())),
            place: index,
            orphan,
        });
    }
    found
}

/// One worker on the queue of a cluster.
struct ClusterTaskStopper {
    place: Arc<AccountCluster>,
    refused: SkipReason,
}

impl OrphanStopper for ClusterTaskStopper {
    async fn end(&self, found: FoundOrphan) -> OrphanReport {
        let FoundOrphan { finding, mut orphan, .. } = found;
        let OrphanSubject::Task(task) = finding else { return orphan };
        let words = reason("orphaned, seen twice: the deadline in its tag is over");
        orphan.done = match stop_orphans::refused(&self.refused) {
            Some(words) => OrphanOutcome::NotDone(words),
            None => stop_orphans::stop_task(&self.place, &self.refused, &task, &words).await,
        };
        stop_orphans::log(&orphan);
        orphan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::example;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn tagged(pairs: &[(&str, &str)]) -> ObservedTask {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ObservedTask { tags: pairs.iter().map(own).collect(), ..example() }
    }

    const JOB: &str = "0707070707070707070707070707070707070707070707070707070707070707";
    const DEADLINE: u64 = 1_700_000_000;

    fn ours() -> ObservedTask {
        tagged(&[("owner", "host-9"), ("job", JOB), ("deadline", "1700000000")])
    }

    #[test]
    fn only_a_deadline_that_is_over_by_far_counts() {
        let mut task = ours();
        let tags = JobTags::of(&task).unwrap();
        let margin = MARGIN.as_secs();
        assert!(!is_overdue(&task, &tags, at(DEADLINE + margin + 1)), "nobody knows when it began");
        task.timeline.created = Some(at(DEADLINE - 7200));
        assert!(!is_overdue(&task, &tags, at(DEADLINE)));
        assert!(!is_overdue(&task, &tags, at(DEADLINE + margin)));
        assert!(is_overdue(&task, &tags, at(DEADLINE + margin + 1)));
    }

    #[test]
    fn a_tag_of_a_host_whose_clock_was_behind_ends_no_task() {
        let mut task = ours();
        task.lifetime = Some(Duration::from_secs(7200));
        // The task began a day after the deadline that its host wrote.
        let begun = DEADLINE + 86_400;
        task.timeline.created = Some(at(begun));
        let tags = JobTags::of(&task).unwrap();
        assert!(!is_overdue(&task, &tags, at(begun + 7200)));
        assert!(is_overdue(&task, &tags, at(begun + 7200 + MARGIN.as_secs() + 1)));
    }

    #[test]
    fn a_task_that_lacks_one_of_our_tags_is_not_judged() {
        let all = [("owner", "host-9"), ("job", JOB), ("deadline", "1700000000")];
        assert!(JobTags::of(&tagged(&all)).is_some());
        for left_out in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert_eq!(JobTags::of(&tagged(&some)), None, "{some:?}");
        }
        for (name, odd) in [
            ("deadline", ""),
            ("deadline", "-1"),
            ("deadline", "soon"),
            ("deadline", "0"),
            ("deadline", "+1700000000"),
            ("deadline", "01700000000"),
            ("deadline", "1.5"),
            ("deadline", "99999999999999999999"),
            ("deadline", "18446744073709551615"),
            ("job", "x"),
            ("owner", ""),
        ] {
            let changed = all.map(|(tag, value)| (tag, if tag == name { odd } else { value }));
            assert_eq!(JobTags::of(&tagged(&changed)), None, "{name}={odd}");
        }
        assert_eq!(JobTags::of(&example()), None);
    }

    proptest! {
        #[test]
        fn no_tag_and_no_clock_panics_or_ends_a_task_early(
            deadline in any::<u64>(), now in 0..u64::MAX / 4, text in "\\PC{0,20}",
        ) {
            let given = deadline.to_string();
            let task = tagged(&[("owner", "h"), ("job", JOB), ("deadline", &given)]);
            if let Some(tags) = JobTags::of(&task)
                && let Some(now) = UNIX_EPOCH.checked_add(Duration::from_secs(now))
                && is_overdue(&task, &tags, now)
            {
                prop_assert!(now.duration_since(tags.deadline).unwrap() > MARGIN);
            }
            let _ = JobTags::of(&tagged(&[("owner", "h"), ("job", JOB), ("deadline", &text)]));
        }
    }
}

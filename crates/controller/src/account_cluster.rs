//! The clusters in which tasks of this host may be, each with its Region and account, as the
//! configuration names them.
//!
//! It connects and lists. It does not judge or stop a task.

use fargate_mask::SharedMasker;
use std::sync::Arc;

use fargate_aws::{CallCounter, CallError};
use fargate_config::{AccountSettings, JobProfile};
use fargate_driver::task::{EcsClient, ObservedTask, RateLimiter};
use fargate_state::{JobRecord, StateFolder};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::judge::may_be_of;
use crate::report::ReapedCluster;

/// Most calls a second to StopTask, and to RunTask when a launch is settled.
///
/// The number is ours. All RunTask and StopTask calls of an account and Region share 40 a second
/// (source: Amazon ECS API Reference, "Request throttling"), and jobs must be able to start at the
/// same time.
pub const STOPS_PER_SECOND: u32 = 15;

/// One cluster, seen with the rights of one account.
#[derive(Clone, Debug)]
pub(crate) struct AccountCluster {
    /// Calls that change something are rate limited.
    pub ecs: EcsClient,
    /// The cluster as the profile names it.
    pub cluster: String,
    /// The first profile that uses this cluster.
    pub profile: JobProfile,
    /// The names of all profiles that use this cluster.
    profiles: Vec<String>,
}

/// Whether a profile with these values uses the same cluster.
fn is_same(place: &AccountCluster, region: &str, cluster: &str, account: &AccountSettings) -> bool {
    place.ecs.region() == region
        && name(&place.cluster) == name(cluster)
        && place.profile.account() == *account
}

/// The name of a cluster, which may be given as an ARN.
fn name(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

impl AccountCluster {
    /// The name and the Region of the cluster.
    pub fn cluster(&self) -> ReapedCluster {
        ReapedCluster { name: self.cluster_name().to_owned(), region: self.ecs.region().to_owned() }
    }

    /// The cluster in words, for people.
    pub fn words(&self) -> String {
        self.cluster().to_string()
    }

    /// The cluster's name.
    pub fn cluster_name(&self) -> &str {
        name(&self.cluster)
    }
}

/// The clusters of some profiles. A profile whose cluster cannot be reached is tried again.
#[derive(Debug)]
pub(crate) struct ClusterSet {
    clusters: Vec<Arc<AccountCluster>>,
    unreached: Vec<UnreachedProfile>,
    folder: Option<StateFolder>,
    pace: RateLimiter,
    masker: SharedMasker,
    calls: CallCounter,
}

#[derive(Debug)]
struct UnreachedProfile {
    profile: JobProfile,
    /// Why, in words for the operator.
    words: String,
}

impl ClusterSet {
    /// Connects to each cluster once.
    ///
    /// With a `folder`, questions count in the rate limiter that all drivers of the host share. Without
    /// one, nothing is written. Calls of ECS count in `calls`.
    pub async fn open(
        folder: Option<&StateFolder>,
        profiles: Vec<JobProfile>,
        (masker, calls): (&SharedMasker, &CallCounter),
    ) -> Self {
        let new = |profile| UnreachedProfile { profile, words: String::new() };
        let mut set = Self {
            clusters: Vec::new(),
            unreached: profiles.into_iter().map(new).collect(),
            folder: folder.cloned(),
            pace: RateLimiter::per_second(STOPS_PER_SECOND),
            masker: masker.clone(),
            calls: calls.clone(),
        };
        set.reach().await;
        set
    }

    /// Connects to the clusters that could not be reached. A cluster keeps its place among all.
    pub async fn reach(&mut self) {
        for UnreachedProfile { profile, .. } in std::mem::take(&mut self.unreached) {
            let within = profile.timeouts.aws_call;
            let connecting = EcsClient::connect(&profile, &self.masker);
            let words = match timeout(within, connecting).await {
                Ok(Ok(ecs)) => {
                    self.add(ecs, profile);
                    continue;
                }
                Ok(Err(why)) => why.line(),
                Err(_) => format!("its cluster was not reached within {} s", within.as_secs()),
            };
            let name = profile.name.as_deref().unwrap_or("defaults");
            let words = format!("profile {name}: {words}");
            self.unreached.push(UnreachedProfile { profile, words });
        }
    }

    fn add(&mut self, ecs: EcsClient, profile: JobProfile) {
        let ecs = ecs.paced(self.pace.clone()).counting(self.calls.clone());
        let ecs = match &self.folder {
            Some(folder) => ecs.sharing(folder, &profile),
            None => ecs,
        };
        let (region, cluster) = (ecs.region().to_owned(), profile.cluster.clone());
        let account = profile.account();
        let known = self.clusters.iter_mut().find(|it| is_same(it, &region, &cluster, &account));
        match known {
            Some(cluster) => Arc::make_mut(cluster).profiles.extend(profile.name),
            None => {
                let profiles = profile.name.clone().into_iter().collect();
                self.clusters.push(Arc::new(AccountCluster { ecs, cluster, profile, profiles }));
            }
        }
    }

    /// The clusters that were reached.
    pub fn clusters(&self) -> &[Arc<AccountCluster>] {
        &self.clusters
    }

    /// Whether all were reached.
    pub fn is_whole(&self) -> bool {
        self.unreached.is_empty()
    }

    /// What was not reached, in words for the operator.
    pub fn problems(&self) -> Vec<String> {
        self.unreached.iter().map(|unreached| unreached.words.clone()).collect()
    }
}

/// The cluster of a record's tasks: the one in which one of `own`, the tasks of its job, was seen, else the one of the
/// profile that its launches name, else any with its Region and name.
pub(crate) fn of_record(
    places: &[Arc<AccountCluster>],
    record: &JobRecord,
    own: &[(usize, &ObservedTask)],
) -> Option<usize> {
    let listed = own.iter().find(|(_, task)| may_be_of(record, task));
    if let Some((place, _)) = listed {
        return Some(*place);
    }
    let location = &record.location;
    let fits = |place: &AccountCluster| {
        place.ecs.region() == location.region && name(&place.cluster) == name(&location.cluster)
    };
    let tag = |profile: &String| {
        let mut launches = record.launches.iter();
        launches.any(|launch| launch.tags.get("fargate-runner:profile") == Some(profile))
    };
    let mut fitting = places.iter().enumerate().filter(|(_, place)| fits(place));
    let first = fitting.next()?;
    // Two accounts may have clusters of the same name, so prefer the profile with which the task
    // was started.
    let mut all = std::iter::once(first).chain(fitting);
    let named = all.find(|(_, place)| place.profiles.iter().any(tag));
    Some(named.map_or(first.0, |(index, _)| index))
}

/// Asks all clusters at the same time. Each answer comes with the index of its cluster.
pub(crate) async fn survey_each<T, F>(
    places: &[Arc<AccountCluster>],
    ask: impl Fn(Arc<AccountCluster>, Instant) -> F,
) -> Vec<(usize, Result<T, CallError>)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CallError>> + Send + 'static,
{
    let mut surveys = JoinSet::new();
    for (index, place) in places.iter().enumerate() {
        let deadline = Instant::now() + place.profile.timeouts.aws_call;
        let asked = ask(Arc::clone(place), deadline);
        surveys.spawn(async move { (index, asked.await) });
    }
    let mut answers = Vec::new();
    while let Some(ended) = surveys.join_next().await {
        answers.push(ended.expect("a survey does not panic"));
    }
    answers
}

/// The same. A cluster that does not answer becomes a problem in words for the operator.
pub(crate) async fn survey_answered<T, F>(
    places: &[Arc<AccountCluster>],
    ask: impl Fn(Arc<AccountCluster>, Instant) -> F,
    problems: &mut Vec<String>,
) -> Vec<(usize, T)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CallError>> + Send + 'static,
{
    let mut answered = Vec::new();
    for (index, answer) in survey_each(places, ask).await {
        match answer {
            Ok(answer) => answered.push((index, answer)),
            Err(error) => problems.push(not_surveyed(&places[index], &error)),
        }
    }
    answered
}

/// Why the tasks of a cluster are not known, in words for the operator.
pub(crate) fn not_surveyed(place: &AccountCluster, error: &CallError) -> String {
    let words = place.words();
    match ["ecs:ListTasks", "ecs:DescribeTasks"].into_iter().find(|right| error.denies(right)) {
        Some(right) => format!("{words}: this host's role may not {right}: {error}"),
        None => format!("{words}: its tasks could not be listed: {error}"),
    }
}

//! The clusters in which tasks of this host may be, each with its Region and account, as the
//! configuration names them.
//!
//! It connects and lists. It does not judge or stop a task.

use fargate_mask::SharedMasker;
use std::sync::Arc;

use fargate_aws::CallError;
use fargate_config::{AccountSettings, JobProfile};
use fargate_driver::task::{EcsClient, ObservedTask, RateLimiter};
use fargate_state::{JobRecord, StateFolder};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::judge::may_be_of;
use crate::report::ReapedCluster;

/// One cluster, seen with the rights of one account.
#[derive(Debug)]
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

/// Connects to each cluster once. A cluster that cannot be reached becomes a text for the operator.
///
/// With a `folder`, questions count in the rate limiter that all drivers of the host share. Without
/// one, nothing is written.
pub(crate) async fn open(
    folder: Option<&StateFolder>,
    profiles: Vec<JobProfile>,
    pace: &RateLimiter,
    masker: &SharedMasker,
) -> (Vec<Arc<AccountCluster>>, Vec<String>) {
    let mut places: Vec<AccountCluster> = Vec::new();
    let mut problems = Vec::new();
    for profile in profiles {
        let ecs = match EcsClient::connect(&profile, masker).await {
            Ok(ecs) => match folder {
                Some(folder) => ecs.paced(pace.clone()).sharing(folder, &profile),
                None => ecs.paced(pace.clone()),
            },
            Err(why) => {
                let name = profile.name.as_deref().unwrap_or("defaults");
                problems.push(format!("profile {name}: {}", why.line()));
                continue;
            }
        };
        let (region, cluster) = (ecs.region().to_owned(), profile.cluster.clone());
        let known = places.iter_mut().find(|p| is_same(p, &region, &cluster, &profile.account()));
        match known {
            Some(place) => place.profiles.extend(profile.name.clone()),
            None => {
                let profiles = profile.name.clone().into_iter().collect();
                places.push(AccountCluster { ecs, cluster, profile, profiles });
            }
        }
    }
    (places.into_iter().map(Arc::new).collect(), problems)
}

/// The cluster of a record's tasks: the one in which one of them was seen, else the one of the
/// profile that its launches name, else any with its Region and name.
pub(crate) fn of_record(
    places: &[Arc<AccountCluster>],
    record: &JobRecord,
    seen: &[(usize, ObservedTask)],
) -> Option<usize> {
    let mut own = seen.iter().filter(|(_, task)| task.job.as_deref() == Some(record.job.as_str()));
    let listed = own.find(|(_, task)| may_be_of(record, task));
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

/// Asks all clusters at the same time. Each answer comes with the index of its cluster. A cluster
/// that does not answer becomes a problem.
pub(crate) async fn survey_each<T, F>(
    places: &[Arc<AccountCluster>],
    ask: impl Fn(Arc<AccountCluster>, Instant) -> F,
    problems: &mut Vec<String>,
) -> Vec<(usize, T)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CallError>> + Send + 'static,
{
    let mut surveys = JoinSet::new();
    for (index, place) in places.iter().enumerate() {
        let deadline = Instant::now() + place.profile.timeouts.aws_call;
        let (asked, place) = (ask(Arc::clone(place), deadline), Arc::clone(place));
        surveys.spawn(async move { (index, place, asked.await) });
    }
    let mut answers = Vec::new();
    while let Some(ended) = surveys.join_next().await {
        match ended.expect("a survey does not panic") {
            (index, _, Ok(answer)) => answers.push((index, answer)),
            (_, place, Err(error)) => problems.push(not_surveyed(&place, &error)),
        }
    }
    answers
}

fn not_surveyed(place: &AccountCluster, error: &CallError) -> String {
    let words = place.words();
    match ["ecs:ListTasks", "ecs:DescribeTasks"].into_iter().find(|right| error.denies(right)) {
        Some(right) => format!("{words}: this host's role may not {right}: {error}"),
        None => format!("{words}: its tasks could not be listed: {error}"),
    }
}

//! How fast callers may be: token buckets for operations and for launches on Fargate.
//!
//! Each Region has its own buckets, as in an account. A call that finds one of its buckets empty takes
//! nothing from any. This module knows rates, not what a caller that is too fast is answered.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::SystemTime;

/// The size of a token bucket, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRate {
    /// Calls that are accepted at once when nobody called for a while.
    pub burst: u32,
    /// Calls that are accepted each second in the long run.
    pub per_second: f64,
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    rate: BucketRate,
    tokens: f64,
    at: SystemTime,
}

impl TokenBucket {
    pub fn full(rate: BucketRate, now: SystemTime) -> Self {
        Self { rate, tokens: f64::from(rate.burst), at: now }
    }

    /// Whether there are so many tokens.
    fn has(&mut self, count: u32, now: SystemTime) -> bool {
        let passed = now.duration_since(self.at).unwrap_or_default();
        self.at = self.at.max(now);
        let filled = self.tokens + passed.as_secs_f64() * self.rate.per_second;
        self.tokens = filled.min(f64::from(self.rate.burst));
        // Sums of fractions miss whole numbers by very little.
        self.tokens + 1e-9 >= f64::from(count)
    }

    /// Takes so many tokens, or none if there are not so many.
    pub fn take(&mut self, count: u32, now: SystemTime) -> bool {
        let has = self.has(count, now);
        if has {
            self.spend(count);
        }
        has
    }

    fn spend(&mut self, count: u32) {
        self.tokens -= f64::from(count);
    }
}

/// Rates of a cloud, each for the calls that share a bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloudRateLimits(Vec<(TokenConsumer, BucketRate)>);

/// What takes tokens from a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TokenConsumer {
    /// One for each call of these operations.
    Calls(Vec<String>),
    /// One for each task.
    Launches { spot: bool },
}

impl CloudRateLimits {
    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The limits of an account that did not ask for others. `ListTagsForResource` has none here.
    ///
    /// Source: Amazon CloudWatch Logs quotas, `GetLogEvents`; AWS Secrets Manager quotas; Amazon ECS API Reference, "Request
    /// throttling for the Amazon ECS API"; Amazon ECS Developer Guide, "AWS Fargate throttling quotas".
    #[must_use]
    pub fn of_aws() -> Self {
        let rate = |burst, per_second| BucketRate { burst, per_second };
        Self::none()
            .with_calls(&["RunTask", "StopTask"], rate(100, 40.0))
            .with_calls(&["RunTask"], rate(20, 20.0))
            .with_launches(false, rate(100, 20.0))
            .with_launches(true, rate(100, 20.0))
            .with_calls(&["DescribeTasks", "ListTasks"], rate(100, 20.0))
            .with_calls(&["RegisterTaskDefinition", "DeregisterTaskDefinition"], rate(20, 1.0))
            .with_calls(
                &["DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"],
                rate(50, 20.0),
            )
            .with_calls(&["DeleteTaskDefinitions"], rate(5, 1.0))
            .with_calls(&["TagResource", "UntagResource"], rate(20, 10.0))
            .with_calls(
                &["CreateCluster", "DeleteCluster", "PutClusterCapacityProviders"],
                rate(20, 1.0),
            )
            .with_calls(&["DescribeClusters", "ListClusters"], rate(50, 20.0))
            .with_calls(&["GetLogEvents"], rate(25, 25.0))
            .with_calls(&["CreateSecret", "UpdateSecret", "PutSecretValue"], rate(50, 50.0))
            .with_calls(&["DeleteSecret", "RestoreSecret"], rate(50, 50.0))
            .with_calls(&["ListSecrets"], rate(100, 100.0))
            .with_calls(&["secretsmanager:TagResource"], rate(50, 50.0))
    }

    /// Adds one bucket for all calls of these operations together.
    #[must_use]
    pub fn with_calls(mut self, operations: &[&str], rate: BucketRate) -> Self {
        let operations = operations.iter().map(|operation| (*operation).to_owned()).collect();
        self.0.push((TokenConsumer::Calls(operations), rate));
        self
    }

    /// Adds one bucket for tasks that are launched: on Spot, or on demand.
    #[must_use]
    pub fn with_launches(mut self, spot: bool, rate: BucketRate) -> Self {
        self.0.push((TokenConsumer::Launches { spot }, rate));
        self
    }
}

/// The buckets of one cloud.
pub(crate) struct TokenBuckets {
    limits: CloudRateLimits,
    /// By Region, in the order of the limits.
    regions: Mutex<BTreeMap<String, Vec<TokenBucket>>>,
}

impl TokenBuckets {
    pub fn new(limits: CloudRateLimits) -> Self {
        Self { limits, regions: Mutex::default() }
    }

    /// Takes a token for a call; false if it came too fast.
    pub fn call(&self, region: &str, operation: &str, now: SystemTime) -> bool {
        self.take(region, 1, now, |spent| match spent {
            TokenConsumer::Calls(operations) => operations.iter().any(|name| name == operation),
            TokenConsumer::Launches { .. } => false,
        })
    }

    /// Takes a token for each task; false, and none taken, if they are too many.
    pub fn launch(&self, region: &str, on_spot: bool, tasks: u32, now: SystemTime) -> bool {
        self.take(region, tasks, now, |spent| *spent == TokenConsumer::Launches { spot: on_spot })
    }

    fn take(
        &self,
        region: &str,
        count: u32,
        now: SystemTime,
        spends: impl Fn(&TokenConsumer) -> bool,
    ) -> bool {
        let mut regions = self.regions.lock().expect("no one panics with the buckets");
        let full = || self.limits.0.iter().map(|(_, rate)| TokenBucket::full(*rate, now)).collect();
        let buckets = regions.entry(region.to_owned()).or_insert_with(full);
        let mut mine: Vec<_> = buckets
            .iter_mut()
            .zip(&self.limits.0)
            .filter(|(_, (spent, _))| spends(spent))
            .map(|(bucket, _)| bucket)
            .collect();
        let enough = mine.iter_mut().all(|bucket| bucket.has(count, now));
        if enough {
            mine.iter_mut().for_each(|bucket| bucket.spend(count));
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const REGION: &str = "eu-west-1";
    const START: SystemTime = SystemTime::UNIX_EPOCH;

    /// Calls that pass when so many come at this time.
    fn passing(buckets: &TokenBuckets, operation: &str, calls: usize, now: SystemTime) -> usize {
        (0..calls).filter(|_| buckets.call(REGION, operation, now)).count()
    }

    #[test]
    fn a_burst_passes_and_then_as_many_as_flow_in() {
        let buckets = TokenBuckets::new(CloudRateLimits::of_aws());
        assert_eq!(passing(&buckets, "DescribeTasks", 150, START), 100);
        assert_eq!(passing(&buckets, "ListTasks", 1, START), 0, "they share a bucket");
        let second = START + Duration::from_secs(1);
        assert_eq!(passing(&buckets, "ListTasks", 50, second), 20);
        let later = START + Duration::from_secs(3600);
        assert_eq!(passing(&buckets, "DescribeTasks", 500, later), 100, "no more than the burst");
        assert_eq!(passing(&buckets, "RegisterTaskDefinition", 30, later), 20);
        assert_eq!(passing(&buckets, "ListTagsForResource", 500, later), 500);
        assert!(buckets.call("us-east-1", "DescribeTasks", START), "each Region has its own");
    }

    #[test]
    fn run_task_and_stop_task_share_a_bucket_and_run_task_has_one_more() {
        let buckets = TokenBuckets::new(CloudRateLimits::of_aws());
        assert_eq!(passing(&buckets, "RunTask", 40, START), 20);
        // Those that were refused took nothing from the bucket that both share.
        assert_eq!(passing(&buckets, "StopTask", 150, START), 80);
        let second = START + Duration::from_secs(1);
        assert_eq!(passing(&buckets, "RunTask", 40, second), 20);
        assert_eq!(passing(&buckets, "StopTask", 40, second), 20);
    }

    #[test]
    fn launches_are_counted_by_task_and_spot_has_its_own() {
        let buckets = TokenBuckets::new(CloudRateLimits::of_aws());
        let launched =
            |spot, now| (0..20).filter(|_| buckets.launch(REGION, spot, 10, now)).count();
        assert_eq!(launched(false, START), 10);
        assert_eq!(launched(true, START), 10);
        assert_eq!(launched(false, START + Duration::from_secs(1)), 2);
    }

    #[test]
    fn fractions_add_up_and_a_clock_that_stands_still_gives_nothing() {
        let rate = BucketRate { burst: 1, per_second: 0.1 };
        let mut bucket = TokenBucket::full(rate, START);
        assert!(bucket.take(1, START) && !bucket.take(1, START));
        let at = |seconds| START + Duration::from_secs(seconds);
        assert!((1..10).all(|second| !bucket.take(1, at(second))));
        assert!(bucket.take(1, at(10)));
        assert!(!bucket.take(1, at(5)), "a time that is over gives nothing");
    }
}

//! A rule that was given to a cloud, with what it counts.

use std::time::{Duration, SystemTime};

use super::super::rule::CallSelector;
use super::{CloudFault, CloudTaskIdentity, FaultRule};
use crate::chance::fraction;
use crate::limits::TokenBucket;

/// Where a rule came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RuleOrigin {
    /// For one call of an operation.
    Queued,
    /// For all calls of this operation.
    Standing(String),
    /// How far readers are behind.
    Lag,
    /// Text.
    Text,
}

impl RuleOrigin {
    /// Lower ones are asked first.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Standing(_) | Self::Lag => 1,
            Self::Text => 2,
        }
    }
}

/// A rule and its counts.
pub(super) struct ActiveRule {
    pub number: u64,
    pub origin: RuleOrigin,
    pub rule: FaultRule,
    given: SystemTime,
    /// Calls that it met in its time.
    met: u64,
    pub struck: u64,
    bucket: Option<TokenBucket>,
}

impl ActiveRule {
    pub fn new(number: u64, origin: RuleOrigin, rule: FaultRule, given: SystemTime) -> Self {
        let bucket = match rule.fault {
            CloudFault::Limit(rate) => Some(TokenBucket::full(rate, given)),
            _ => None,
        };
        Self { number, origin, rule, given, met: 0, struck: 0, bucket }
    }

    /// When its time is over.
    pub fn ends(&self) -> Option<SystemTime> {
        self.given.checked_add(self.rule.when.until?)
    }

    fn is_in_time(&self, at: SystemTime) -> bool {
        let begins = self.given.checked_add(self.rule.when.after.unwrap_or_default());
        begins.is_some_and(|begins| at >= begins) && self.ends().is_none_or(|ends| at < ends)
    }

    /// Nothing is left of its count.
    pub fn is_spent(&self) -> bool {
        matches!(self.rule.when.count, CallSelector::Next(count) if self.struck >= count)
    }

    /// Counts a call that it meets, and decides; a call that is not `free` was struck before.
    pub fn strikes(&mut self, free: bool, now: SystemTime) -> bool {
        if !self.is_in_time(now) {
            return false;
        }
        self.met += 1;
        let when = &self.rule.when;
        let strikes = free
            && when.count.includes(self.met, self.struck)
            && self.hits(self.met)
            && self.bucket.as_mut().is_none_or(|bucket| !bucket.take(1, now));
        self.struck += u64::from(strikes);
        strikes
    }

    /// The draw for number `n`, which counts from 1.
    fn hits(&self, n: u64) -> bool {
        self.rule.when.chance.is_none_or(|chance| {
            fraction(chance.seed.unwrap_or_default(), n - 1) * 100.0 < chance.percent
        })
    }

    /// When it is due for this task, which is where it is since `entered`.
    pub fn due(
        &self,
        task: &CloudTaskIdentity,
        entered: SystemTime,
        after: Duration,
    ) -> Option<SystemTime> {
        let drawn = || task.number.is_some_and(|number| number > 0 && self.hits(number));
        // A rule cannot have struck before it was given.
        let at = entered.checked_add(after)?.max(self.given);
        (self.rule.meets_task(task) && self.is_in_time(at) && drawn()).then_some(at)
    }
}

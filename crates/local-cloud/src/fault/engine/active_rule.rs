//! A rule that is in force, with its counts.

use std::time::{Duration, SystemTime};

use crate::chance::fraction;
use crate::fault::cloud_fault::CloudFault;
use crate::fault::observed::CloudTaskIdentity;
use crate::fault::rule::{CallSelector, FaultRule};
use crate::limits::TokenBucket;

/// Who gave a rule, which decides its place in the order.
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
    /// Rules with a lower rank are asked first.
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
    /// Calls that fitted the rule in its time.
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

    /// When the rule ends.
    pub fn ends(&self) -> Option<SystemTime> {
        self.given.checked_add(self.rule.when.until?)
    }

    fn is_in_time(&self, at: SystemTime) -> bool {
        let begins = self.given.checked_add(self.rule.when.after.unwrap_or_default());
        begins.is_some_and(|begins| at >= begins) && self.ends().is_none_or(|ends| at < ends)
    }

    /// Whether it has changed as many calls as it may.
    pub fn is_spent(&self) -> bool {
        matches!(self.rule.when.count, CallSelector::Next(count) if self.struck >= count)
    }

    /// Counts a call that fits, and decides whether to change it. A call that is not `free` was
    /// changed by an earlier rule.
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

    /// Whether chance chooses number `n`, which counts from 1.
    fn hits(&self, n: u64) -> bool {
        self.rule.when.chance.is_none_or(|chance| {
            fraction(chance.seed.unwrap_or_default(), n - 1) * 100.0 < chance.percent
        })
    }

    /// When it is due for this task, which entered its state at `entered`.
    pub fn due(
        &self,
        task: &CloudTaskIdentity,
        entered: SystemTime,
        after: Duration,
    ) -> Option<SystemTime> {
        let drawn = || task.number.is_some_and(|number| number > 0 && self.hits(number));
        // A rule has no effect before it was given.
        let at = entered.checked_add(after)?.max(self.given);
        (self.rule.meets_task(task) && self.is_in_time(at) && drawn()).then_some(at)
    }
}

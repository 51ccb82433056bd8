//! Which conditions were told: each is told once when it begins, and once when it is over. Which target has which
//! message, so that the next process sends what nobody took.
//!
//! Times between two looks are measured by a clock that nobody sets, so a changed clock of the host tells
//! nothing twice. Nothing here touches a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::DeliveryOutcome;
use crate::notice::{NoticeKind, OpenCondition};
use crate::told_notices::{ToldNotice, ToldNotices};

/// A condition that was not seen for so long is over. Ours: several looks, so that one that comes and goes is
/// not told again and again.
const GONE_AFTER: Duration = Duration::from_mins(2);
/// Most conditions that are told at one time. Ours: more than the catalogue has causes, and few enough for a small file.
const MOST_TOLD: usize = 200;
/// Most ends of conditions that targets still have to take. Ours.
const MOST_ENDING: usize = 50;

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct ConditionLedger {
    told: BTreeMap<String, ToldCondition>,
    /// Ends that not every target took yet.
    ending: BTreeMap<String, ToldNotice>,
}

#[derive(Debug)]
struct ToldCondition {
    notice: ToldNotice,
    seen: Instant,
}

impl ConditionLedger {
    /// Goes on from what other processes told; `targets` are all that there are. A condition that is over counts as
    /// seen now. What this process told itself stays. Returns what it took over.
    pub(crate) fn take_over(
        &mut self,
        told: ToldNotices,
        targets: &[&str],
        now: Instant,
    ) -> Vec<ToldNotice> {
        let mut taken = Vec::new();
        for notice in told.notices.into_iter().take(MOST_TOLD + MOST_ENDING) {
            let name = notice.condition.name.clone();
            let is_known = match notice.kind {
                NoticeKind::Opened => self.told.contains_key(&name),
                // Nobody waits for it, since a target was taken out of the configuration.
                NoticeKind::Recovered => {
                    notice.is_settled(targets) || self.ending.contains_key(&name)
                }
            };
            if is_known {
                continue;
            }
            taken.push(notice.clone());
            match notice.kind {
                NoticeKind::Opened => {
                    self.told.insert(name, ToldCondition { notice, seen: now });
                }
                NoticeKind::Recovered => drop(self.ending.insert(name, notice)),
            }
        }
        taken
    }

    /// Whether nothing was told.
    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.ending.is_empty()
    }

    /// What is to be told of a look at `now`, in order: what is over, then what began. Nothing counts as told until
    /// [`ConditionLedger::note`] says so. Conditions for which `is_known` is false were not looked for.
    pub(crate) fn due(
        &mut self,
        open: &[OpenCondition],
        is_known: impl Fn(&OpenCondition) -> bool,
        now: Instant,
    ) -> Vec<(NoticeKind, OpenCondition)> {
        for (name, told) in &mut self.told {
            match open.iter().find(|condition| condition.name == *name) {
                // When it began stays the same for as long as it is open.
                Some(seen) => {
                    let since_ms = told.notice.condition.since_ms;
                    told.notice.condition = OpenCondition { since_ms, ..seen.clone() };
                    told.seen = now;
                }
                None if !is_known(&told.notice.condition) => told.seen = now,
                None => {}
            }
        }
        let over = self.told.values().filter(|told| now.duration_since(told.seen) >= GONE_AFTER);
        let mut due: Vec<_> =
            over.map(|told| (NoticeKind::Recovered, told.notice.condition.clone())).collect();
        let begun = open.iter().filter(|condition| condition.is_enough);
        let begun = begun.filter(|condition| !self.told.contains_key(&condition.name));
        due.extend(begun.map(|condition| (NoticeKind::Opened, condition.clone())));
        due
    }

    /// A message about this was made.
    pub(crate) fn note(&mut self, kind: NoticeKind, condition: &OpenCondition, now: Instant) {
        let (name, condition) = (condition.name.clone(), condition.clone());
        let (settled, beginning_settled) = (BTreeSet::new(), BTreeSet::new());
        let mut notice = ToldNotice { kind, condition, settled, beginning_settled };
        match kind {
            NoticeKind::Recovered => {
                // The next process sends the beginning first to whoever does not have it yet.
                let begun = self.told.remove(&name);
                notice.beginning_settled = begun.map(|it| it.notice.settled).unwrap_or_default();
                if self.ending.len() < MOST_ENDING {
                    self.ending.insert(name, notice);
                }
            }
            NoticeKind::Opened if self.told.len() < MOST_TOLD => {
                self.told.insert(name, ToldCondition { notice, seen: now });
            }
            NoticeKind::Opened => {}
        }
    }

    /// A target took a message, or it was given up. `targets` are all that there are.
    pub(crate) fn settle(&mut self, outcome: &DeliveryOutcome, targets: &[&str]) {
        let (name, target) = (&outcome.condition, outcome.target.to_owned());
        // A condition that came back is another one.
        let is_same = |notice: &&mut ToldNotice| notice.condition.since_ms == outcome.since_ms;
        let open = self.told.get_mut(name).map(|told| &mut told.notice).filter(is_same);
        let over = self.ending.get_mut(name).filter(is_same);
        match (outcome.kind, open, over) {
            (NoticeKind::Opened, Some(open), _) => drop(open.settled.insert(target)),
            (NoticeKind::Opened, None, Some(over)) => {
                over.beginning_settled.insert(target);
            }
            (NoticeKind::Recovered, _, Some(over)) => {
                over.settled.insert(target);
                if over.is_settled(targets) {
                    self.ending.remove(name);
                }
            }
            (_, _, None) => {}
        }
    }

    /// All of it, for the file.
    pub(crate) fn told(&self) -> ToldNotices {
        ToldNotices::of(self.notices().cloned())
    }

    fn notices(&self) -> impl Iterator<Item = &ToldNotice> {
        self.ending.values().chain(self.told.values().map(|told| &told.notice))
    }
}

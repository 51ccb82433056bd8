//! Makes messages of what is open: what was not told yet, what is over, and never more than the limit.
//!
//! It sends nothing itself and never waits: messages go into the outbox of each target. That is a step of its own,
//! so that whoever keeps what was told can write it before anything is sent.

use std::sync::Arc;

use fargate_config::NotifySettings;
use fargate_model::cause::{CatalogueEntry, FailureCause};
use tokio::time::Instant;

use crate::condition_ledger::ConditionLedger;
use crate::delivery::DeliveryOutcome;
use crate::notice::{OpenCondition, OperatorNotice};
use crate::notice_outbox::NoticeOutbox;
use crate::notice_room::NoticeRoom;
use crate::told_notices::ToldNotices;

/// The class of conditions of the host.
pub const HOST_CLASS: &str = "host";
/// Who mends what is told unless the configuration says otherwise, by the words of the catalogue.
const TOLD_OF: [&str; 3] = ["setup", "AWS", "runner"];

/// What is told, and how.
#[derive(Clone, Debug, Default)]
pub struct NoticeRules {
    /// The host that tells it.
    pub host: String,
    /// `[notify]` of the configuration.
    pub settings: NotifySettings,
    /// Where a runbook has a page for each cause; `{cause}` stands for its name.
    pub runbook_url: Option<String>,
}

/// What a look found.
#[derive(Clone, Debug, Default)]
pub struct SeenConditions {
    /// What is open.
    pub open: Vec<OpenCondition>,
    /// Whether causes of jobs were looked for; without a history they are not.
    pub are_causes_known: bool,
}

/// Messages that count as told and are in no outbox yet.
#[derive(Debug, Default)]
#[must_use = "they are sent once they are in the outboxes"]
pub struct NotedMessages(Vec<Arc<OperatorNotice>>);

/// Compares what is open with what was told.
#[derive(Debug)]
pub struct NoticeDesk {
    rules: NoticeRules,
    ledger: ConditionLedger,
    is_changed: bool,
    room: NoticeRoom,
    outboxes: Vec<Arc<NoticeOutbox>>,
}

impl NoticeRules {
    /// Whether this is told: a cause by its class or its name, or a condition of the host by its name.
    #[must_use]
    pub fn tells(&self, name: &str, class: &str) -> bool {
        let about = &self.settings.about;
        if !about.is_empty() {
            return about.iter().any(|wanted| wanted == name || wanted == class);
        }
        class == HOST_CLASS || entry_of(name).is_some_and(|it| TOLD_OF.contains(&it.who.word()))
    }

    fn notice(
        &self,
        kind: crate::NoticeKind,
        condition: OpenCondition,
        at_ms: u64,
    ) -> OperatorNotice {
        let page = self.settings.page_url.as_deref();
        let runbook = self.runbook_url.as_deref().filter(|_| condition.class != HOST_CLASS);
        OperatorNotice {
            kind,
            host: self.host.clone(),
            at_ms,
            held_back: 0,
            page: page.map(|page| format!("{page}{}", condition.path)),
            runbook: runbook.map(|page| page.replace("{cause}", &condition.name)),
            condition,
        }
    }
}

/// What became of a message that had to go.
fn no_room(target: &'static str, notice: &OperatorNotice) -> DeliveryOutcome {
    let why = "too many messages wait for this target".to_owned();
    DeliveryOutcome::of(target, notice, (0, Some(why)))
}

fn entry_of(name: &str) -> Option<CatalogueEntry> {
    FailureCause::ALL.iter().map(|cause| cause.entry()).find(|entry| entry.slug == name)
}

impl NoticeDesk {
    /// A desk with the outbox of each target. Nothing was told yet.
    #[must_use]
    pub fn new(rules: NoticeRules, outboxes: Vec<Arc<NoticeOutbox>>) -> Self {
        let room = NoticeRoom::new(rules.settings.messages_per_hour, Instant::now());
        Self { rules, ledger: ConditionLedger::default(), is_changed: false, room, outboxes }
    }

    /// Goes on from what other processes told. What a target did not take from them goes into its outbox.
    pub fn take_over(&mut self, told: ToldNotices, at_ms: u64) {
        // What this process told before is not in the file.
        self.is_changed |= !self.ledger.is_empty();
        let targets: Vec<&str> = self.outboxes.iter().map(|outbox| outbox.target()).collect();
        let taken = self.ledger.take_over(told, &targets, Instant::now());
        for outbox in &self.outboxes {
            for notice in &taken {
                for kind in notice.owed_to(outbox.target()) {
                    let message = self.rules.notice(kind, notice.condition.clone(), at_ms);
                    // The file holds more than an outbox; what has no room there is the oldest, and not a new failure.
                    drop(outbox.put(Arc::new(message)));
                }
            }
        }
    }

    /// Takes in what became of a message.
    pub fn settle(&mut self, outcome: &DeliveryOutcome) {
        let targets: Vec<&str> = self.outboxes.iter().map(|outbox| outbox.target()).collect();
        self.ledger.settle(outcome, &targets);
        self.is_changed = true;
    }

    /// All that was told. Whoever keeps it gives it to the next process.
    #[must_use]
    pub fn told(&self) -> ToldNotices {
        self.ledger.told()
    }

    /// All that was told, if that changed since the last call.
    pub fn changed(&mut self) -> Option<ToldNotices> {
        std::mem::take(&mut self.is_changed).then(|| self.told())
    }

    /// What is told.
    #[must_use]
    pub fn rules(&self) -> &NoticeRules {
        &self.rules
    }

    /// Takes in what a look at `at_ms` found. The messages count as told from now on, and nothing is sent before
    /// [`NoticeDesk::hand_out`]. What there is no room for is told later, if it is still open then.
    pub fn note_due(&mut self, seen: &SeenConditions, at_ms: u64) -> NotedMessages {
        let now = Instant::now();
        let told = |it: &&OpenCondition| self.rules.tells(&it.name, &it.class);
        let open: Vec<OpenCondition> = seen.open.iter().filter(told).cloned().collect();
        let is_known = |it: &OpenCondition| seen.are_causes_known || it.class == HOST_CLASS;
        let mut due = self.ledger.due(&open, is_known, now).into_iter();
        let (mut made, mut held_back) = (Vec::new(), 0);
        for (kind, condition) in due.by_ref() {
            if !self.room.take(now) {
                held_back = 1;
                break;
            }
            self.ledger.note(kind, &condition, now);
            self.is_changed = true;
            made.push(self.rules.notice(kind, condition, at_ms));
        }
        held_back += due.count() as u64;
        if let Some(last) = made.last_mut() {
            last.held_back = held_back;
        }
        NotedMessages(made.into_iter().map(Arc::new).collect())
    }

    /// Puts messages into the outboxes; whoever keeps what was told has written it before. Returns what became of
    /// messages that had to go from a full outbox.
    pub fn hand_out(&self, noted: &NotedMessages) -> Vec<DeliveryOutcome> {
        let put = |outbox: &Arc<NoticeOutbox>| {
            let gone = noted.0.iter().filter_map(|notice| outbox.put(Arc::clone(notice)));
            gone.map(|notice| no_room(outbox.target(), &notice)).collect::<Vec<_>>()
        };
        self.outboxes.iter().flat_map(put).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rules(settings: NotifySettings) -> NoticeRules {
        NoticeRules { host: "ci-1".to_owned(), settings, runbook_url: None }
    }

    fn open(name: &str, is_enough: bool) -> OpenCondition {
        let entry = entry_of(name);
        OpenCondition {
            name: name.to_owned(),
            class: entry.map_or(HOST_CLASS, |entry| entry.class).to_owned(),
            since_ms: 1,
            is_enough,
            ..OpenCondition::default()
        }
    }

    /// What each look tells: `+` what began, `-` what is over.
    struct ObservedDesk {
        desk: NoticeDesk,
        outbox: Arc<NoticeOutbox>,
    }

    impl ObservedDesk {
        fn of(settings: NotifySettings) -> Self {
            let outbox = Arc::new(NoticeOutbox::new("webhook"));
            let desk = NoticeDesk::new(rules(settings), vec![Arc::clone(&outbox)]);
            Self { desk, outbox }
        }

        /// Another process goes on, with a webhook and a topic, from what this one kept.
        fn restarted(&mut self, kept: &mut ToldNotices) -> Arc<NoticeOutbox> {
            if let Some(changed) = self.desk.changed() {
                *kept = changed;
            }
            let outboxes = ["webhook", "sns"].map(|target| Arc::new(NoticeOutbox::new(target)));
            self.outbox = Arc::clone(&outboxes[0]);
            let topic = Arc::clone(&outboxes[1]);
            self.desk = NoticeDesk::new(rules(NotifySettings::default()), outboxes.to_vec());
            self.desk.take_over(kept.clone(), 1);
            topic
        }

        fn look(&mut self, open: &[OpenCondition], are_causes_known: bool) {
            let seen = SeenConditions { open: open.to_vec(), are_causes_known };
            let noted = self.desk.note_due(&seen, 2);
            assert_eq!(self.desk.hand_out(&noted), [], "the outboxes have room");
        }

        /// The target takes what waits for it.
        async fn taken(&mut self, from: &NoticeOutbox) -> usize {
            let mut taken = 0;
            while from.waiting() > 0 {
                let notice = from.take().await;
                self.desk.settle(&DeliveryOutcome::of(from.target(), &notice, (1, None)));
                taken += 1;
            }
            taken
        }

        async fn told(&mut self, open: &[OpenCondition], are_causes_known: bool) -> String {
            self.look(open, are_causes_known);
            let mut told = String::new();
            while self.outbox.waiting() > 0 {
                let notice = self.outbox.take().await;
                let sign = if notice.kind == crate::NoticeKind::Opened { '+' } else { '-' };
                told.push(sign);
                told.push_str(&notice.condition.name);
                if notice.held_back > 0 {
                    told.push_str(&format!(" ({} held back)", notice.held_back));
                }
            }
            told
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_is_told_once_and_its_end_once() {
        let mut desk = ObservedDesk::of(NotifySettings::default());
        let seen = [open("no-capacity", true)];
        assert_eq!(desk.told(&[open("no-capacity", false)], true).await, "", "not enough yet");
        assert_eq!(desk.told(&seen, true).await, "+no-capacity");
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(10)).await;
            assert_eq!(desk.told(&[open("no-capacity", false)], true).await, "");
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(desk.told(&[], true).await, "", "it may come back at once");
        tokio::time::advance(Duration::from_secs(130)).await;
        assert_eq!(desk.told(&[], true).await, "-no-capacity");
        assert_eq!(desk.told(&[], true).await, "");
        assert_eq!(desk.told(&seen, true).await, "+no-capacity", "it is new again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_process_sends_what_no_target_took_and_tells_nothing_twice() {
        let mut desk = ObservedDesk::of(NotifySettings::default());
        let mut kept = ToldNotices::default();
        let seen = [open("no-capacity", true)];
        let topic = desk.restarted(&mut kept);
        desk.look(&seen, true);
        assert_eq!(desk.taken(&topic).await, 1, "the webhook took nothing yet");
        let topic = desk.restarted(&mut kept);
        assert_eq!((desk.outbox.waiting(), topic.waiting()), (1, 0));
        let webhook = Arc::clone(&desk.outbox);
        assert_eq!(desk.taken(&webhook).await, 1);
        for _ in 0..3 {
            let topic = desk.restarted(&mut kept);
            assert_eq!(desk.told(&seen, true).await, "");
            assert_eq!(topic.waiting(), 0);
        }
        // The end is kept until each has it, and then nothing is kept.
        desk.restarted(&mut kept);
        tokio::time::advance(Duration::from_secs(130)).await;
        desk.look(&[], true);
        let topic = desk.restarted(&mut kept);
        let webhook = Arc::clone(&desk.outbox);
        assert_eq!((desk.taken(&webhook).await, desk.taken(&topic).await), (1, 1));
        let topic = desk.restarted(&mut kept);
        assert_eq!((desk.outbox.waiting(), topic.waiting()), (0, 0));
        assert_eq!(kept, ToldNotices::of(std::iter::empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_noted_before_it_can_be_sent() {
        let mut desk = ObservedDesk::of(NotifySettings::default());
        let seen = SeenConditions { open: vec![open("no-capacity", true)], are_causes_known: true };
        let noted = desk.desk.note_due(&seen, 2);
        assert_eq!(desk.outbox.waiting(), 0, "nobody can send it yet");
        let mut kept = desk.desk.changed().expect("there is something to write");
        desk.desk.hand_out(&noted);
        let id = desk.outbox.take().await.id();
        // A process that was killed after the write, before the message was sent or while it was.
        desk.restarted(&mut kept);
        assert_eq!(desk.outbox.take().await.id(), id);
        assert_eq!(desk.told(&seen.open, true).await, "", "it is not made anew");
    }

    #[tokio::test(start_paused = true)]
    async fn no_target_is_told_an_end_without_its_beginning() {
        let mut desk = ObservedDesk::of(NotifySettings::default());
        let mut kept = ToldNotices::default();
        let topic = desk.restarted(&mut kept);
        desk.look(&[open("no-capacity", true)], true);
        assert_eq!(desk.taken(&topic).await, 1, "the webhook took nothing yet");
        tokio::time::advance(Duration::from_secs(130)).await;
        desk.look(&[], true);
        let topic = desk.restarted(&mut kept);
        assert_eq!(
            (desk.told(&[], true).await.as_str(), topic.waiting()),
            ("+no-capacity-no-capacity", 1)
        );
        // A beginning that is taken after the end was noted counts too.
        let topic = desk.restarted(&mut kept);
        let beginning = desk.outbox.take().await;
        desk.desk.settle(&DeliveryOutcome::of("webhook", &beginning, (1, None)));
        assert_eq!(desk.taken(&topic).await, 1);
        desk.restarted(&mut kept);
        assert_eq!(desk.told(&[], true).await, "-no-capacity");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_comes_later_is_taken_over_and_what_was_told_until_then_is_kept() {
        let mut earlier = ObservedDesk::of(NotifySettings::default());
        let both = [open("ecs-silent", true), open("no-capacity", true)];
        earlier.told(&both, true).await;
        let mut desk = ObservedDesk::of(NotifySettings::default());
        assert_eq!(desk.told(&both[..1], true).await, "+ecs-silent");
        assert!(desk.desk.changed().is_some());
        desk.desk.take_over(earlier.desk.told(), 3);
        assert_eq!(desk.desk.changed(), Some(desk.desk.told()), "the file lacks what was told");
        assert_eq!(desk.told(&both, true).await, "+no-capacity", "nobody took it yet");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_history_no_cause_is_over() {
        let mut desk = ObservedDesk::of(NotifySettings::default());
        desk.told(&[open("no-capacity", true), open("ecs-silent", true)], true).await;
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(desk.told(&[], false).await, "-ecs-silent");
        assert_eq!(desk.told(&[], true).await, "", "the time without a history does not count");
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(desk.told(&[], true).await, "-no-capacity");
    }

    #[tokio::test(start_paused = true)]
    async fn what_there_is_no_room_for_is_told_later_if_it_is_still_open() {
        let settings = NotifySettings { messages_per_hour: 2, ..NotifySettings::default() };
        let mut desk = ObservedDesk::of(settings);
        let all =
            ["ecs-silent", "intake-paused", "orphans", "image-drift"].map(|it| open(it, true));
        assert_eq!(desk.told(&all, true).await, "+ecs-silent+intake-paused (2 held back)");
        assert_eq!(desk.told(&all, true).await, "");
        tokio::time::advance(Duration::from_mins(31)).await;
        assert_eq!(desk.told(&all[..3], true).await, "+orphans");
    }

    #[test]
    fn a_script_that_fails_is_told_only_if_somebody_asks_for_it() {
        let usual = rules(NotifySettings::default());
        assert!(usual.tells("no-capacity", "capacity") && usual.tells("ecs-silent", HOST_CLASS));
        let scripts = FailureCause::ALL.iter().map(|cause| cause.entry());
        let scripts: Vec<_> = scripts.filter(|entry| entry.who.word() == "job").collect();
        assert!(!scripts.is_empty());
        assert!(scripts.iter().all(|entry| !usual.tells(entry.slug, entry.class)));
        let about = vec![scripts[0].slug.to_owned()];
        let asked = rules(NotifySettings { about, ..NotifySettings::default() });
        assert!(asked.tells(scripts[0].slug, scripts[0].class));
        assert!(!asked.tells("ecs-silent", HOST_CLASS));
    }

    #[test]
    fn a_full_outbox_lets_the_oldest_message_go() {
        let outbox = NoticeOutbox::new("webhook");
        let notice = |n: usize| {
            let it = rules(NotifySettings::default());
            Arc::new(it.notice(crate::NoticeKind::Opened, open(&format!("c{n}"), true), 0))
        };
        let gone: Vec<_> =
            (0..=crate::MOST_WAITING).filter_map(|n| outbox.put(notice(n))).collect();
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].condition.name, "c0");
        assert_eq!(outbox.waiting(), crate::MOST_WAITING);
    }
}

//! Tells people what they must act on, by a webhook or an Amazon SNS topic: once when it begins, once when it is
//! over.
//!
//! [`NoticeDesk`] compares what is open now with what was told, and makes messages within a limit. [`deliver`]
//! sends the messages of one target, with retries and a deadline; a target that is slow or dead delays nobody
//! else. What was told is kept in one small file ([`ToldNoticeFile`]), so that a restart tells nothing twice.
//! Nothing here finds out what is open, or knows a job.

mod condition_ledger;
mod delivery;
mod notice;
mod notice_desk;
mod notice_outbox;
mod notice_room;
mod notice_target;
mod secret_source;
mod told_notices;
mod webhook;

pub use delivery::{DELIVERY_TIME, DeliveryOutcome, deliver};
pub use notice::{NoticeKind, OpenCondition, OperatorNotice};
pub use notice_desk::{HOST_CLASS, NotedMessages, NoticeDesk, NoticeRules, SeenConditions};
pub use notice_outbox::{MOST_WAITING, NoticeOutbox};
pub use notice_target::{NoticeTarget, targets_of};
pub use told_notices::{TOLD_NOTICES, ToldNoticeFile, ToldNotices};

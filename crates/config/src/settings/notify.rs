//! `[notify]`: whom `serve` tells what somebody must act on, of what, and how often.
//!
//! The address and the key of a webhook are secrets, so the file names only where they are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::check;
use crate::row::{flag, number, path, text, texts, time};
use crate::table::{settings_table, table_with_defaults};

/// Most items of a list. Ours.
const MOST: usize = 100;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

settings_table! {
    /// Whom `fargate-runner serve` tells what somebody must act on: a webhook, an SNS topic, or both.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct NotifySettings {
        /// A file with the URL of a webhook, which gets an HTTP POST with JSON. The URL is a secret: who knows it can
        /// write there. It begins with `https://`, or leads to this machine.
        pub webhook_url_file: Option<PathBuf> = path(check::absolute_path)
            .or_absent("no webhook, unless `webhook_url_variable` names one")
            .example("\"/etc/fargate-runner/webhook-url\""),
        /// An environment variable of `serve` with this URL. If a file is named too, the file counts.
        pub webhook_url_variable: Option<String> = text(check::environment_variable)
            .or_absent("no webhook, unless `webhook_url_file` names one")
            .example("\"FARGATE_RUNNER_WEBHOOK_URL\""),
        /// A file with the key by which each message to the webhook is signed (HMAC-SHA256).
        pub webhook_key_file: Option<PathBuf> = path(check::absolute_path)
            .or_absent("messages are not signed, unless `webhook_key_variable` names a key")
            .example("\"/etc/fargate-runner/webhook-key\""),
        /// An environment variable of `serve` with this key. If a file is named too, the file counts.
        pub webhook_key_variable: Option<String> = text(check::environment_variable)
            .or_absent("messages are not signed, unless `webhook_key_file` names a key")
            .example("\"FARGATE_RUNNER_WEBHOOK_KEY\""),
        /// The ARN of an Amazon SNS topic. The host's credentials need the right `sns:Publish` for it.
        pub sns_topic: Option<String> = text(check::sns_topic)
            .or_absent("no topic")
            .example("\"arn:aws:sns:eu-west-1:123456789012:ci-alarms\""),
        /// What is told: classes of causes, names of causes, and of conditions of the host: `"ecs-silent"`,
        /// `"history-unreadable"`, `"image-drift"`, `"intake-paused"`, `"orphans"`. If the list is empty: every
        /// cause that the set-up, AWS or this program must mend, and every condition of the host.
        pub about: Vec<String> = texts(0, MOST, check::notice_subject).or_empty(),
        /// A cause is told when so many jobs met it within `quiet_after`.
        // Ours: one refused start is tried again; the third job with one cause is no accident.
        pub after_jobs: u32 = number(1, 1000).or_number(3),
        /// A cause is over, which is told as well, when no job met it for so long.
        pub quiet_after: Duration = time(MINUTE, DAY).or_time(Duration::from_mins(30)),
        /// New jobs may be held for so long before it is told.
        pub paused_after: Duration = time(MINUTE, DAY).or_time(HOUR),
        /// Most messages in an hour. What is left over is told when there is room again, if it is still true.
        pub messages_per_hour: u32 = number(1, 1000).or_number(20),
        /// Whether messages may name private projects. Words of AWS are left out of messages without it, because
        /// they may hold such names.
        pub project_names: bool = flag().or_flag(false),
        /// The address of this page for people, which messages link to.
        pub page_url: Option<String> = text(check::site)
            .or_absent("messages have no links")
            .example("\"https://ci.example.org\""),
    }
}

table_with_defaults!(NotifySettings);

/// Conditions of a host that `about` can name, beside causes.
pub const HOST_CONDITIONS: [&str; 5] =
    ["ecs-silent", "history-unreadable", "image-drift", "intake-paused", "orphans"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_a_class_a_cause_or_a_condition_of_the_host() {
        for right in ["no-capacity", "capacity", "orphans", "ecs-silent"] {
            assert!(check::notice_subject(right).is_ok(), "{right}");
        }
        let hint = check::notice_subject("no-capacty").err().and_then(|refused| refused.hint);
        assert_eq!(hint.as_deref(), Some("`\"no-capacity\"`"));
    }

    #[test]
    fn a_topic_is_an_arn_of_sns() {
        assert!(check::sns_topic("arn:aws:sns:eu-west-1:123456789012:ci").is_ok());
        assert!(check::sns_topic("arn:aws-cn:sns:cn-north-1:123456789012:ci.fifo").is_ok());
        for wrong in ["ci", "arn:aws:sqs:eu-west-1:123456789012:ci", "arn:aws:sns:eu-west-1:1:a b"]
        {
            assert!(check::sns_topic(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_runbook_has_one_page_for_each_cause() {
        assert!(check::runbook_url("https://wiki.example.org/{cause}.html").is_ok());
        for wrong in ["https://wiki.example.org/", "javascript:{cause}", "https://a b/{cause}"] {
            assert!(check::runbook_url(wrong).is_err(), "{wrong}");
        }
    }
}

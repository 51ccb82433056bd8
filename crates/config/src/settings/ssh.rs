//! `[ssh]`: how a task is reached. How long each step may take is in `timeouts`.

use crate::check;
use crate::keyword::ClientKeyKind;
use crate::row::{keyword, number, text};
use crate::table::{settings_table, table_with_defaults};

settings_table! {
    /// How a task is reached.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SshSettings {
        /// The user that scripts run as.
        pub user: String = text(check::user).or_text("root"),
        /// The port that the task listens on.
        pub port: u16 = number(1, u16::MAX as u32).or_number(22),
        /// The kind of key that opens a task: `"ed25519"`, or `"rsa"` (3072 bits) for an sshd that knows
        /// nothing newer.
        pub client_key: ClientKeyKind = keyword::<ClientKeyKind>().or_text("ed25519"),
        /// After so many probes without an answer, the connection counts as lost. See
        /// `keepalive_interval`.
        pub keepalive_tries: u32 = number(1, 100).or_number(3),
        /// After so many MiB through one connection, either way, the driver exchanges its keys anew;
        /// nobody notices. It does so after an hour as well. The agent has a number of
        /// its own, `FARGATE_RUNNER_REKEY_MIB`, the one variable of ours that a task definition may set.
        pub rekey_after_mib: u32 = number(1, 1024).or_number(1024),
    }
}

table_with_defaults!(SshSettings);

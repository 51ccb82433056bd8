//! One item of `tmpfs`: a folder of a task that lies in memory.

use crate::check::{self, ValueRefusal};
use crate::row::{number, text};
use crate::table::{settings_table, table_field};
use crate::value::SettingsTable;

/// Most such folders. Ours: each takes memory from the job.
pub(super) const MAX_TMPFS: usize = 10;

/// Largest of them in MiB: the largest memory of a task. Source: `fargate_model::size`.
const MAX_SIZE_MIB: u32 = 249_856;

settings_table! {
    /// A folder of a task that lies in memory.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TmpfsMount {
        /// Where it is, inside the task. An absolute path.
        pub path: String = text(check::mount_path).example("\"/scratch\""),
        /// Most that it holds, in MiB. It counts as memory of the task.
        pub size_mib: u32 = number(1, MAX_SIZE_MIB).example("512"),
    }
}

table_field!(TmpfsMount);

/// Every item is right by itself.
pub(super) fn check_tmpfs(_: &[SettingsTable]) -> Vec<ValueRefusal> {
    Vec::new()
}

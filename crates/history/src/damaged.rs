//! A damaged SQLite database is kept for whoever wants to look into it, with the time in its name.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fargate_model::moment::rfc3339_seconds;

use crate::HistoryError;

/// What stands in the name between the database and the time.
const MARK: &str = ".damaged-";
/// How many of them are kept. Ours: each may be as large as the history.
const KEPT: usize = 3;

/// Renames the database and its log. Only the newest [`KEPT`] are kept.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf, HistoryError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let aside = with_ending(path, &format!("{MARK}{}", file_time(now.as_millis())));
    for ending in ["-wal", "-shm", ""] {
        let (from, to) = (with_ending(path, ending), with_ending(&aside, ending));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let doing = "moving the damaged database aside:";
                return Err(HistoryError::File { doing, path: from, source: error });
            }
            _ => {}
        }
    }
    forget_old(path);
    Ok(aside)
}

/// `20261129T221503.123Z`: it sorts by time.
pub(crate) fn file_time(since_1970_ms: u128) -> String {
    let text = rfc3339_seconds(u64::try_from(since_1970_ms).unwrap_or(u64::MAX));
    format!("{}.{:03}Z", text.replace(['-', ':', 'Z'], ""), since_1970_ms % 1000)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes the oldest ones. That this fails costs only room.
fn forget_old(path: &Path) {
    let (Some(folder), Some(name)) =
        (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return;
    };
    let prefix = format!("{name}{MARK}");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&prefix) && name.ends_with('Z')
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    for old in found.iter().rev().skip(KEPT) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(old, ending));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_newest_damaged_databases_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let mut moved = Vec::new();
        for n in 0..5_u8 {
            std::fs::write(&path, [n]).unwrap();
            std::fs::write(with_ending(&path, "-wal"), [n]).unwrap();
            let aside = move_aside(&path).unwrap();
            // Two within one millisecond share a name; the later one wins.
            moved.retain(|other| *other != aside);
            moved.push(aside);
        }
        let kept: Vec<_> = moved.iter().rev().take(KEPT).collect();
        assert!(kept.iter().all(|path| path.exists()), "{moved:?}");
        assert!(kept.iter().all(|path| with_ending(path, "-wal").exists()));
        assert!(moved.iter().rev().skip(KEPT).all(|path| !path.exists()));
        assert!(!path.exists());
    }

    #[test]
    fn the_time_in_a_name_sorts() {
        assert_eq!(file_time(1_796_083_200_007), "20261201T000000.007Z");
    }
}

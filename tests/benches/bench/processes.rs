//! What Linux knows of processes: who descends from this program, and how much memory each has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::measured::kib;

/// Of `utime` and `stime`; every Linux that we measure on has been built so.
///
/// Source: `USER_HZ` of the kernel, which is part of its interface on x86 and ARM.
const TICKS_PER_SECOND: u32 = 100;

/// The ids of all processes of this name that descend from this program.
///
/// Linux keeps the first 15 bytes of a program's name.
pub fn descendants(name: &str) -> Vec<u32> {
    let mut known = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse::<u32>().ok()) else {
            continue;
        };
        // A process that has ended meanwhile counts no more.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        known.extend(parent_and_name(&stat).map(|(parent, name)| (id, (parent, name))));
    }
    let descends = |id: &u32| {
        let mut id = *id;
        while let Some((parent, _)) = known.get(&id) {
            if *parent == std::process::id() {
                return true;
            }
            id = *parent;
        }
        false
    };
    let named = known.iter().filter(|(_, (_, known))| known == name);
    named.map(|(id, _)| *id).filter(|id| descends(id)).collect()
}

/// From `proc_pid_stat(5)`: the name stands in parentheses and may hold some itself.
fn parent_and_name(stat: &str) -> Option<(u32, String)> {
    let (before, after) = stat.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    Some((after.split(' ').nth(1)?.parse().ok()?, name.to_owned()))
}

/// The most resident memory that these processes have had so far, each at its own worst, in KiB.
pub fn peak_resident(ids: &[u32]) -> u64 {
    ids.iter().map(|id| memory(*id, "status", &["VmHWM:"])).sum()
}

/// Memory of a process that nobody shares, in KiB; 0 of one that has ended.
pub fn private(id: u32) -> u64 {
    memory(id, "smaps_rollup", &["Private_Clean:", "Private_Dirty:"])
}

/// A process's share of memory, in KiB: what it has for itself, and its part of what it shares.
pub fn proportional(id: u32) -> u64 {
    memory(id, "smaps_rollup", &["Pss:"])
}

/// User and system time that a process has had, in ticks of the kernel; nothing of one that has ended.
pub fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(") ").map(|(_, after)| after).unwrap_or_default();
    // `utime` and `stime` of proc_pid_stat(5), counted from `state`.
    let ticks: u32 = after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}

fn memory(id: u32, file: &str, fields: &[&str]) -> u64 {
    let path = Path::new("/proc").join(id.to_string()).join(file);
    kib(&fs::read_to_string(path).unwrap_or_default(), fields)
}

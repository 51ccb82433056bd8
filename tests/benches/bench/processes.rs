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

/// The ids of all processes of the program `name` that descend from this one.
pub fn descendants(name: &str) -> Vec<u32> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse::<u32>().ok()) else {
            continue;
        };
        parents.extend(parent(id).map(|parent| (id, parent)));
    }
    let descends = |id: &u32| {
        let mut next = parents.get(id);
        while let Some(parent) = next {
            if *parent == std::process::id() {
                return true;
            }
            next = parents.get(parent);
        }
        false
    };
    // A program that started itself anew has another name, and still the same file. Which one that
    // is, our programs show only root.
    let runs = |id: &u32| match fs::read_link(format!("/proc/{id}/exe")) {
        Ok(file) => file.file_name().is_some_and(|file| file == name),
        Err(_) => {
            fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|own| own.trim_end() == name)
        }
    };
    parents.keys().copied().filter(|id| descends(id) && runs(id)).collect()
}

/// Who started a process; nobody where it has ended meanwhile.
fn parent(id: u32) -> Option<u32> {
    stat(id)?.split(' ').nth(1)?.parse().ok()
}

/// The fields of `proc_pid_stat(5)` from `state` on; the name before them may hold anything.
fn stat(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

/// The most resident memory that these processes have had so far, each at its own worst, in KiB.
pub fn peak_resident(ids: &[u32]) -> u64 {
    ids.iter().map(|id| memory(*id, "status", &["VmHWM:"])).sum()
}

/// The resident memory of a process now, in KiB.
pub fn resident(id: u32) -> u64 {
    memory(id, "status", &["VmRSS:"])
}

/// Memory of a process that nobody shares, in KiB; 0 of one that has ended. Our programs show only
/// root what it is made of; anybody else counts the part of it that is no file's.
pub fn private(id: u32) -> u64 {
    match memory(id, "smaps_rollup", &["Private_Clean:", "Private_Dirty:"]) {
        0 => memory(id, "status", &["RssAnon:"]),
        private => private,
    }
}

/// A process's share of memory, in KiB: what it has for itself, and its part of what it shares; for
/// anybody but root all that it shares.
pub fn proportional(id: u32) -> u64 {
    match memory(id, "smaps_rollup", &["Pss:"]) {
        0 => memory(id, "status", &["VmRSS:"]),
        part => part,
    }
}

/// User and system time that a process has had, in ticks of the kernel; nothing of one that has ended.
pub fn cpu(id: u32) -> Duration {
    let stat = stat(id).unwrap_or_default();
    // `utime` and `stime`.
    let ticks: u32 = stat.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}

fn memory(id: u32, file: &str, fields: &[&str]) -> u64 {
    let path = Path::new("/proc").join(id.to_string()).join(file);
    kib(&fs::read_to_string(path).unwrap_or_default(), fields)
}

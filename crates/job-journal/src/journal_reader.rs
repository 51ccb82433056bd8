//! Reads a journal from where somebody stopped reading it.
//!
//! A half line at the end is left for the next reading: its writer may be at work. A damaged line costs
//! itself alone, because each line has its own checksum; it is reported.

use std::io::{Read, Seek, SeekFrom};

use fargate_files::FileError;
use fargate_model::job::JobKey;

use crate::journal_entry::{JournalEntry, LONGEST_LINE};
use crate::journal_folder::JournalFolder;

/// Most bytes that one reading takes. Ours; more than one line.
const READ_AT_ONCE: u64 = 4 * 1024 * 1024;

/// What one reading brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalPart {
    /// Whole entries, in the order of the file.
    pub entries: Vec<JournalEntry>,
    /// Where the next reading begins: a byte in the file.
    pub next_offset: u64,
    /// Lines whose checksum is wrong.
    pub damaged_lines: u64,
    /// How many of `entries` stand before the first of these.
    pub damaged_at: Option<usize>,
    /// Whether more can be read at once.
    pub has_more: bool,
}

/// Reads the journal of a job from `offset` on, at most 4 MiB. Without a journal it reads nothing.
///
/// # Errors
///
/// [`FileError`] if the file cannot be read, or others may have written it.
pub fn read_journal(
    folder: &JournalFolder,
    key: &JobKey,
    offset: u64,
) -> Result<JournalPart, FileError> {
    let Some(mut file) = folder.open_to_read(key)? else {
        return Ok(JournalPart { next_offset: offset, ..JournalPart::default() });
    };
    let path = folder.journal(key);
    let refused = |error| FileError::disk("reading", &path)(error);
    file.seek(SeekFrom::Start(offset)).map_err(refused)?;
    let mut bytes = Vec::new();
    file.take(READ_AT_ONCE).read_to_end(&mut bytes).map_err(refused)?;
    Ok(part_of(&bytes, offset))
}

/// The whole lines of `bytes`, which begin at `offset`.
fn part_of(bytes: &[u8], offset: u64) -> JournalPart {
    let mut part = JournalPart { next_offset: offset, ..JournalPart::default() };
    let mut rest = bytes;
    let mut taken = 0;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        match JournalEntry::of_line(&rest[..end]) {
            Some(entry) => part.entries.push(entry),
            None => part.note_damage(),
        }
        taken += end + 1;
        rest = &rest[end + 1..];
    }
    // What is longer than any line will never become one.
    if rest.len() > LONGEST_LINE {
        part.note_damage();
        taken = bytes.len();
    }
    part.next_offset += taken as u64;
    part.has_more = bytes.len() as u64 == READ_AT_ONCE;
    part
}

impl JournalPart {
    fn note_damage(&mut self) {
        self.damaged_lines += 1;
        self.damaged_at.get_or_insert(self.entries.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal_entry::{JournalContent, RawEntry};
    use fargate_events::JobEvent;
    use proptest::prelude::*;

    fn journal(entries: usize) -> (Vec<JournalEntry>, Vec<u8>) {
        let entry = |n: usize| JournalEntry {
            time_ms: n as u64,
            attempt: 1,
            stage: "prepare".into(),
            pid: 7,
            content: JournalContent::Event(JobEvent::CapacityMoved {
                from: "x".repeat(n % 40),
                to: "FARGATE".into(),
                cause: fargate_model::cause::FailureCause::NoCapacity,
            }),
        };
        let entries: Vec<_> = (0..entries).map(entry).collect();
        let lines = entries.iter().map(|entry| RawEntry::of(entry).unwrap().line().unwrap());
        let bytes = lines.collect::<Vec<_>>().concat();
        (entries, bytes)
    }

    proptest! {
        #[test]
        fn any_prefix_gives_its_whole_lines_and_a_later_reading_gives_the_rest(at in 0usize..4000) {
            let (entries, bytes) = journal(12);
            let at = at % (bytes.len() + 1);
            let first = part_of(&bytes[..at], 0);
            prop_assert_eq!(first.damaged_lines, 0);
            let from = usize::try_from(first.next_offset).unwrap();
            let second = part_of(&bytes[from..], first.next_offset);
            let read = [first.entries, second.entries].concat();
            prop_assert_eq!(read, entries);
            prop_assert_eq!(second.next_offset, bytes.len() as u64);
        }

        #[test]
        fn a_torn_line_loses_only_itself(at in 1usize..4000) {
            let (entries, mut bytes) = journal(12);
            let at = at % bytes.len();
            let whole = part_of(&bytes[..at], 0).entries.len();
            // The next process begins its first line on a new one.
            bytes.truncate(at);
            let is_torn = !bytes.is_empty() && bytes.last() != Some(&b'\n');
            if is_torn { bytes.push(b'\n'); }
            let (_, more) = journal(2);
            bytes.extend(more);
            let part = part_of(&bytes, 0);
            // A line that lacked nothing but its end is whole with it.
            prop_assert!(part.entries.len() >= whole + 2 && part.damaged_lines <= u64::from(is_torn));
            prop_assert_eq!(&part.entries[..whole], &entries[..whole]);
        }

        #[test]
        fn a_flipped_bit_is_found(at in 0usize..4000, bit in 0u8..8) {
            let (entries, mut bytes) = journal(12);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let part = part_of(&bytes, 0);
            let is_last_end = at == bytes.len() - 1;
            prop_assert!(part.damaged_lines > 0 || is_last_end);
            prop_assert!(part.entries.iter().all(|entry| entries.contains(entry)));
            // A line end that is gone joins two lines.
            prop_assert!(part.entries.len() >= entries.len() - 2);
        }
    }
}

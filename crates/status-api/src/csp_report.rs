//! What browsers report of pages that broke the content security policy: a sign of an attack, or of a
//! fault of ours. Reports are counted; the last few are kept, cut, because anybody can send them.

use std::collections::VecDeque;
use std::sync::Mutex;

use fargate_model::text::escape_within;

/// Reports that are kept.
const KEPT: usize = 20;
/// Characters of a report that are kept.
const LENGTH: usize = 1000;

/// All reports of this process.
#[derive(Debug, Default)]
pub struct CspReports {
    reports: Mutex<(u64, VecDeque<String>)>,
}

impl CspReports {
    /// Takes a report.
    pub fn add(&self, report: &[u8]) {
        let report = escape_within(&String::from_utf8_lossy(report), LENGTH);
        let mut reports = self.reports.lock().expect("no one panics while holding the reports");
        reports.0 += 1;
        reports.1.push_back(report);
        if reports.1.len() > KEPT {
            reports.1.pop_front();
        }
    }

    /// How many there were, and the last ones.
    #[must_use]
    pub fn all(&self) -> (u64, Vec<String>) {
        let reports = self.reports.lock().expect("no one panics while holding the reports");
        (reports.0, reports.1.iter().cloned().collect())
    }
}

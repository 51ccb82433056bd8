//! Counts calls of AWS by their operation and by what came of them. Clones count together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::CallError;

/// Most pairs of operation and code that are told apart; the rest counts as `other`. Ours: each becomes a line of
/// metrics, and a service could make up codes.
const MOST_PAIRS: usize = 200;
/// Longest code that is kept. AWS's are shorter.
const LONGEST_CODE: usize = 60;

/// How often each operation ended with each code.
#[derive(Clone, Debug, Default)]
pub struct CallCounter {
    counts: Arc<Mutex<BTreeMap<(&'static str, String), u64>>>,
}

impl CallCounter {
    /// Counts one call.
    pub fn count<T>(&self, operation: &'static str, outcome: &Result<T, CallError>) {
        let code = match outcome {
            Ok(_) => "ok".to_owned(),
            Err(error) => code_of(error),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.len() >= MOST_PAIRS;
        let key = match is_full && !counts.contains_key(&(operation, code.clone())) {
            true => (operation, "other".to_owned()),
            false => (operation, code),
        };
        *counts.entry(key).or_default() += 1;
    }

    /// Every operation and code, with how often it occurred so far.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, String, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((operation, code), n)| (*operation, code.clone(), *n)).collect()
    }
}

/// The name of the error, as a label of metrics.
fn code_of(error: &CallError) -> String {
    match error {
        CallError::Answered { code, .. } => {
            let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            code.chars().filter(plain).take(LONGEST_CODE).collect()
        }
        CallError::NoAnswer { .. } | CallError::NotReached { .. } => "no_answer".to_owned(),
        CallError::Unreadable { .. } => "unreadable".to_owned(),
        _ => "not_sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_operation_and_code_and_never_without_limit() {
        let counter = CallCounter::default();
        let refused = |code: &str| -> Result<(), CallError> {
            let (code, message) = (code.to_owned(), String::new());
            Err(CallError::Answered { code, message, status: 400, request_id: None })
        };
        counter.count("ListTasks", &Ok(()));
        counter.clone().count("ListTasks", &Ok(()));
        counter.count("ListTasks", &refused("ThrottlingException"));
        counter.count("StopTask", &Err::<(), _>(CallError::NoAnswer { text: String::new() }));
        let all = counter.all();
        let shown: Vec<_> = all.iter().map(|(name, code, n)| (*name, code.as_str(), *n)).collect();
        let throttled = ("ListTasks", "ThrottlingException", 1);
        assert_eq!(shown, [throttled, ("ListTasks", "ok", 2), ("StopTask", "no_answer", 1)]);
        (0..1000).for_each(|n| counter.count("ListTasks", &refused(&format!("Code{n}"))));
        assert!(counter.all().len() <= MOST_PAIRS + 1);
    }
}

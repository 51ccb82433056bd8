//! The one list of calls: all rows of all files, each of which has the calls of one or two holders.

use crate::catalogued_call::CataloguedCall;
use crate::{check_calls, image_calls, infrastructure_calls, manager_calls, task_calls};

/// Every call, in the order in which policies have them.
pub fn catalogued_calls() -> impl Iterator<Item = &'static CataloguedCall> {
    let files = [
        manager_calls::CALLS,
        task_calls::CALLS,
        image_calls::CALLS,
        infrastructure_calls::CALLS,
        check_calls::CALLS,
    ];
    files.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_listed_twice_and_each_action_is_one_of_a_service() {
        let calls: Vec<_> = catalogued_calls().collect();
        for (at, call) in calls.iter().enumerate() {
            let same = |other: &CataloguedCall| {
                (other.holder, other.action, other.target, other.circumstance)
                    == (call.holder, call.action, call.target, call.circumstance)
            };
            assert!(!calls[at + 1..].iter().any(|other| same(other)), "{call:?}");
            let (service, action) = call.action.split_once(':').expect("a service and an action");
            assert!(service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            assert!(action.bytes().all(|b| b.is_ascii_alphanumeric()), "{action}");
        }
    }
}

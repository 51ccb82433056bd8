//! What a fault does to a task, and which faults change only what a call sees.

use std::time::Duration;

use super::*;

#[test]
fn only_faults_of_tasks_become_something_of_a_task() {
    let held =
        CloudFault::TaskHeld { phase: CloudTaskPhase::Pending }.of_task().expect("of a task");
    assert_eq!((held.phase, held.effect), (CloudTaskPhase::Pending, TaskEffect::Hold));
    let after = Duration::from_secs(2);
    let gone = CloudFault::TaskForgotten { phase: CloudTaskPhase::Running, after }
        .of_task()
        .expect("of a task");
    assert_eq!((gone.after, gone.effect), (after, TaskEffect::Forget));
    for fault in
        [CloudFault::throttled(), CloudFault::LostAnswer, CloudFault::Lag(after), CloudFault::Hang]
    {
        assert_eq!(fault.of_task(), None, "{fault}");
    }
    assert!(CloudFault::Lag(after).is_of_view() && CloudFault::Stale(after).is_of_view());
    assert!(!CloudFault::Slow(after).is_of_view());
}

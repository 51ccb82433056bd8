//! What a fault makes of a task, and which of them change what is seen.

use super::*;

#[test]
fn only_faults_of_tasks_become_something_of_a_task() {
    let held = Fault::TaskHeld { phase: Phase::Pending }.of_task().expect("of a task");
    assert_eq!((held.phase, held.deed), (Phase::Pending, Deed::Hold));
    let after = Duration::from_secs(2);
    let gone = Fault::TaskForgotten { phase: Phase::Running, after }.of_task().expect("of a task");
    assert_eq!((gone.after, gone.deed), (after, Deed::Forget));
    for fault in [Fault::throttled(), Fault::LostAnswer, Fault::Lag(after), Fault::Hang] {
        assert_eq!(fault.of_task(), None, "{fault}");
    }
    assert!(Fault::Lag(after).is_of_view() && Fault::Stale(after).is_of_view());
    assert!(!Fault::Slow(after).is_of_view());
}

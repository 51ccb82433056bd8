//! `efs apply` is killed behind each of its steps, and a second run ends as if nothing had happened.

use crate::{StorageOperator, ended_behind};

/// Far more steps than there are.
const MOST: usize = 50;

#[tokio::test]
async fn a_run_after_a_kill_at_any_step_ends_in_the_same_state() {
    let mut kills = 0;
    for step in 1..MOST {
        let person = StorageOperator::at_once().await;
        let file = person.configured("", "");
        let end: Vec<(&str, String)> = ended_behind(step).into();
        let end: Vec<(&str, &str)> =
            end.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let first = person.says_in(&file, &["apply", "--yes"], &end).await;
        let is_killed = first.code.is_none();
        if is_killed {
            kills += 1;
            person.says(&["apply", "--yes"]).await.with_code(0);
        } else {
            first.with_code(0);
        }
        assert_eq!(person.counts().await, (3, 2), "behind step {step}");
        let statements = person.policy().await["Statement"].as_array().expect("a list").len();
        assert_eq!(statements, 3, "behind step {step}");
        person.says(&["plan"]).await.with_code(0);
        person.host.close().await;
        if !is_killed {
            // Three access points, one policy and two mount targets.
            assert!(kills >= 6, "it reached {kills} steps");
            return;
        }
    }
    panic!("it has more than {MOST} steps");
}

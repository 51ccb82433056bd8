//! Two people run `efs apply` at once, each for another project: nothing of either is lost.

use fargate_tests::until_found;

use crate::StorageOperator;

/// Tries, because each meets another order.
const TRIES: usize = 4;

#[tokio::test]
async fn two_people_at_once_end_with_what_both_asked_for_or_one_is_told_to_run_it_again() {
    for _ in 0..TRIES {
        let person = StorageOperator::at_once().await;
        let [one, other] = ["team/one", "team/other"].map(|project| {
            let person = &person;
            async move { person.says(&["apply", "--yes", "--project", project]).await }
        });
        let (one, other) = tokio::join!(one, other);
        for said in [&one, &other] {
            assert!(!said.err.contains("panicked"), "{}", said.err);
            let told = ["meanwhile", "run it again"].iter().any(|words| said.err.contains(words));
            assert!(said.code == Some(0) || told, "{:?} {}\n{}", said.code, said.out, said.err);
        }
        assert_eq!(person.counts().await.1, 2, "one mount target in each zone");
        let is_whole = [&one, &other].iter().all(|said| said.code == Some(0));
        let plan = person.says(&["plan"]).await;
        assert!(!is_whole || plan.code == Some(0), "{}\n{}\n{}", plan.out, one.err, other.err);
        // Whoever was told so runs it again.
        until_found("a further run ends well", || async {
            let again = ["apply", "--yes", "--project", "team/one", "--project", "team/other"];
            let said = person.says(&again).await;
            if said.code == Some(0) { Ok(()) } else { Err(said.err) }
        })
        .await;
        person.says(&["plan"]).await.with_code(0);
        assert_eq!(person.counts().await, (7, 2));
        person.host.close().await;
    }
}

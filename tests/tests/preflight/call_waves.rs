//! Calls overlap: a check waits for few answers one after the other, however many calls it makes.

use std::time::Duration;

use fargate_tests::CheckedHost;

use crate::checker;

/// How long each answer takes: longer than a loaded machine needs to send all calls of one wave.
const SLOW: Duration = Duration::from_secs(1);
/// Most waves. With 50 ms for each call they take 0.3 s.
const MOST_WAVES: usize = 6;

#[tokio::test]
async fn calls_are_made_side_by_side_in_few_waves() {
    let site = CheckedHost::open().await;
    let rule = format!("any: slow {}s", SLOW.as_secs());
    site.cloud().set_faults(rule.parse().expect("a rule"));
    let person = checker(&site, |_| {});
    person.heard(person.start(&["--format", "json"])).await;
    site.cloud().clear_faults();
    let requests = site.cloud().requests();
    let mut times: Vec<_> = requests.iter().map(|request| request.time).collect();
    times.sort();
    // A call that needs the answer of another one comes at least so much later.
    let mut waves = 0;
    let mut began = None;
    for time in times {
        let is_next =
            began.is_none_or(|began| time.duration_since(began).is_ok_and(|passed| passed >= SLOW));
        if is_next {
            waves += 1;
            began = Some(time);
        }
    }
    let calls: Vec<&str> = requests.iter().map(|request| request.operation.as_str()).collect();
    assert!(calls.len() >= 10, "{calls:?}");
    assert!(waves <= MOST_WAVES, "{waves} waves of {} calls: {calls:?}", calls.len());
    crate::close(site).await;
}

use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

const PACE: f64 = 20.0;

fn line() -> SharedLimiterState {
    SharedLimiterState::default()
}

/// How many of these callers, who come at the same moment, need not wait.
fn first(line: &mut SharedLimiterState, callers: usize, now_ms: u64) -> usize {
    (0..callers).filter(|_| line.ask(None, now_ms, PACE) == QueuePosition::First).count()
}

#[test]
fn a_burst_passes_and_the_others_wait_in_the_order_of_their_coming() {
    let mut line = line();
    assert_eq!(first(&mut line, 100, 1000), 100);
    let waits: Vec<_> = (0..40).map(|_| line.ask(None, 1000, PACE)).collect();
    for (index, place) in waits.iter().enumerate() {
        let QueuePosition::Behind(number, pause) = place else { panic!("{place:?}") };
        assert_eq!(*number, 100 + u32::try_from(index).unwrap());
        let expected = Duration::from_millis(50 * (u64::try_from(index).unwrap() + 1));
        assert!(pause.abs_diff(expected) < Duration::from_millis(2), "{pause:?} {expected:?}");
    }
    // After a second, 20 of them have their turn, and the next one does not.
    assert_eq!(line.ask(Some(119), 2000, PACE), QueuePosition::First);
    assert!(matches!(line.ask(Some(120), 2000, PACE), QueuePosition::Behind(120, _)));
    // A long quiet time fills the bucket, but not more.
    assert_eq!(first(&mut line, 500, 3_600_000), 100);
}

#[test]
fn a_refusal_halves_the_pace_once_a_second_and_time_brings_it_back() {
    let mut line = line();
    assert_eq!(first(&mut line, 1, 1000), 1);
    assert_eq!(line.slow_down(1000, PACE), Some(10.0));
    assert_eq!(first(&mut line, 100, 1000), 0, "what was saved up is worth nothing");
    assert_eq!(line.slow_down(1500, PACE), None, "an answer to a question of before");
    for second in 2..40 {
        line.slow_down(second * 1000 + 1, PACE);
    }
    // The rate grows by a third each second, and is halved again.
    assert!(line.rate < 0.5 && line.rate >= PACE * SLOWEST, "{}", line.rate);
    line.flow(101_000, PACE);
    assert!((line.rate - PACE).abs() < 1e-6, "{}", line.rate);
}

#[test]
fn who_goes_ahead_makes_all_others_wait_one_turn_longer() {
    let mut line = line();
    assert_eq!(first(&mut line, 100, 1000), 100);
    assert!(matches!(line.ask(None, 1000, PACE), QueuePosition::Behind(100, _)));
    line.go_ahead(1000, PACE);
    assert!(matches!(line.ask(Some(100), 1050, PACE), QueuePosition::Behind(100, _)));
    assert_eq!(line.ask(Some(100), 1100, PACE), QueuePosition::First);
}

#[test]
fn whoever_waits_keeps_half_of_the_rate_however_many_go_ahead() {
    let mut line = line();
    assert_eq!(first(&mut line, 100, 1000), 100);
    let (mut now, mut came) = (1000, 0);
    let mut waiting = None;
    // For a minute, 200 questions a second go ahead, and one caller after the other waits.
    while now < 61_000 {
        (0..2).for_each(|_| line.go_ahead(now, PACE));
        match line.ask(waiting, now, PACE) {
            QueuePosition::Behind(own, _) => waiting = Some(own),
            QueuePosition::First => (waiting, came) = (None, came + 1),
            QueuePosition::Full => panic!("{line:?}"),
        }
        now += 10;
    }
    // The burst may be lost to them, half of the rate is not.
    assert!((545..=600).contains(&came), "{came}");
}

#[test]
fn who_goes_away_gives_its_turn_to_those_behind_and_to_nobody_before() {
    let mut line = line();
    assert_eq!(first(&mut line, 100, 1000), 100);
    for number in 100..140 {
        assert!(
            matches!(line.ask(None, 1000, PACE), QueuePosition::Behind(own, _) if own == number)
        );
    }
    for number in 110..130 {
        line.give_back(number);
    }
    // The tenth in the queue comes after half a second, as before. The next new caller gets number
    // 130.
    assert!(matches!(line.ask(Some(109), 1450, PACE), QueuePosition::Behind(..)));
    assert_eq!(line.ask(Some(109), 1500, PACE), QueuePosition::First);
    assert!(matches!(line.ask(Some(130), 1510, PACE), QueuePosition::Behind(..)));
    assert_eq!(line.ask(Some(130), 1550, PACE), QueuePosition::First);
    assert!(matches!(line.ask(Some(131), 1550, PACE), QueuePosition::Behind(..)));
    assert_eq!(line.ask(Some(139), 2000, PACE), QueuePosition::First);
    // The last in the queue leaves, and the next new caller gets its turn.
    line.ask(None, 2000, PACE);
    line.give_back(140);
    let QueuePosition::Behind(141, pause) = line.ask(None, 2000, PACE) else { panic!("{line:?}") };
    assert!(pause < Duration::from_millis(60), "{pause:?}");
}

#[test]
fn a_line_has_an_end() {
    let mut line = line();
    let places: Vec<_> = (0..1200).map(|_| line.ask(None, 1000, PACE)).collect();
    assert_eq!(places.iter().filter(|place| **place == QueuePosition::Full).count(), 100);
    assert!(matches!(line.ask(None, 1100, PACE), QueuePosition::Behind(..)), "some have gone");
}

#[test]
fn a_number_of_a_file_that_is_gone_is_another_one_in_line() {
    let mut line = line();
    assert_eq!(line.ask(Some(7000), 1000, PACE), QueuePosition::First);
    assert_eq!(line.given, 1);
}

proptest! {
    /// Whatever the file holds, nobody waits for ever, and nothing panics.
    #[test]
    fn any_file_lets_somebody_pass_within_the_longest_line(
        given: u32, come: f64, rate: f64, ahead: f64, at_ms: u64, slowed_ms: u64,
        back: Vec<u32>, now_ms in 0..u64::MAX / 4
    ) {
        let mut line = SharedLimiterState { given, come, rate, ahead, at_ms, slowed_ms, back };
        if [come, rate, ahead].iter().any(|number| !number.is_finite()) {
            // JSON has no such numbers.
            return Ok(());
        }
        let mut number = None;
        let mut now = now_ms;
        for _ in 0..12 {
            match line.ask(number, now, PACE) {
                QueuePosition::First => return Ok(()),
                QueuePosition::Behind(own, pause) => {
                    number = Some(own);
                    prop_assert!(pause <= Duration::from_secs(3600));
                }
                QueuePosition::Full => {}
            }
            now += 3_600_000;
        }
        prop_assert!(false, "{line:?}");
    }
}

fn folder() -> (tempfile::TempDir, StateFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
    (root, folder)
}

#[tokio::test]
async fn processes_share_one_file_for_each_account_and_region() {
    const ROLE: Option<&str> = Some("arn:aws:iam::1:role/ci");
    let (_root, folder) = folder();
    // A new value for each question, as each process has its own.
    let ask = async |region, role, number, now_ms| {
        let turns = folder.turns(region, role, 1);
        let place = turns.change(|line| line.ask(number, now_ms, turns.per_second)).await;
        place.expect("a file that can be used")
    };
    for _ in 0..5 {
        assert_eq!(ask("eu-west-1", None, None, 1000).await, QueuePosition::First);
    }
    // The burst was used up in the first one only.
    let next = ask("eu-west-1", None, None, 1000).await;
    assert_eq!(next, QueuePosition::Behind(5, Duration::from_secs(1)));
    assert_eq!(ask("us-east-1", None, None, 1000).await, QueuePosition::First);
    assert_eq!(ask("eu-west-1", ROLE, None, 1000).await, QueuePosition::First);
    assert_eq!(ask("eu-west-1", None, Some(5), 2000).await, QueuePosition::First);
}

#[tokio::test]
async fn who_waits_is_counted_in_the_file_that_all_read() {
    let (_root, folder) = folder();
    for given in 1..=5 {
        folder.turns("eu-west-1", None, 1).wait().await;
        let file = folder.turns("eu-west-1", None, 1).open().unwrap();
        assert_eq!(read(&file).unwrap().0.unwrap().given, given);
    }
}

#[tokio::test]
async fn what_cannot_be_used_costs_nobody_a_turn() {
    let put: [fn(&std::path::Path); 7] = [
        |path| std::fs::write(path, "").unwrap(),
        |path| std::fs::write(path, "{\"given\": 7").unwrap(),
        |path| std::fs::write(path, [b'x'; 4096]).unwrap(),
        |path| {
            std::fs::write(
                path,
                r#"{"given":1,"come":-1e300,"rate":1e-300,"at_ms":1,"slowed_ms":0}"#,
            )
            .unwrap()
        },
        |path| symlink("/nowhere", path).unwrap(),
        |path| std::fs::create_dir(path).unwrap(),
        |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
    ];
    for (index, put) in put.iter().enumerate() {
        let (_root, folder) = folder();
        let turns = folder.turns("eu-west-1", None, 20);
        std::fs::remove_file(&turns.path).unwrap();
        put(&turns.path);
        let begun = Instant::now();
        turns.slow_down().await;
        turns.go_ahead().await;
        turns.wait().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_lets_go_holds_up_nobody() {
    let (_root, folder) = folder();
    let turns = folder.turns("eu-west-1", None, 20);
    let _held = turns.locked().await.unwrap();
    let begun = Instant::now();
    turns.wait().await;
    assert!(begun.elapsed() < LOCK_WITHIN * 2, "{:?}", begun.elapsed());
}

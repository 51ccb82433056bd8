use tokio::time::{sleep, sleep_until, timeout};

use super::*;

const LIMITS: AdmissionLimits = AdmissionLimits { waiting: [8; 3], logged_in: 2, leaving: 2 };

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Whether a place was taken away.
async fn has_to_go(place: &mut LoginSlot) -> bool {
    timeout(Duration::ZERO, place.has_to_go()).await.is_ok()
}

#[tokio::test]
async fn whoever_has_waited_longest_goes_when_a_step_is_full() {
    let admission = LoginAdmission::new(LIMITS);
    let stranger = address("192.0.2.1");
    let mut places: Vec<_> = (0..8).map(|_| admission.enter(stranger)).collect();
    for place in &mut places {
        assert!(!has_to_go(place).await);
    }
    places.push(admission.enter(stranger));
    assert!(has_to_go(&mut places[0]).await);
    for place in &mut places[1..] {
        assert!(!has_to_go(place).await);
    }
}

#[tokio::test]
async fn strangers_at_one_step_take_no_place_at_another() {
    let admission = LoginAdmission::new(LIMITS);
    let everybody = address("192.0.2.1");
    for (ours_at, theirs_at) in [
        (LoginStep::Identified, LoginStep::Connected),
        (LoginStep::Identified, LoginStep::Encrypted),
        (LoginStep::Encrypted, LoginStep::Connected),
        (LoginStep::Encrypted, LoginStep::Identified),
    ] {
        let mut ours = admission.enter(everybody);
        ours.progress().reached(ours_at);
        let come = |_| {
            let stranger = admission.enter(everybody);
            stranger.progress().reached(theirs_at);
            stranger
        };
        let strangers: Vec<_> = (0..1000).map(come).collect();
        assert!(!has_to_go(&mut ours).await, "{ours_at:?} {theirs_at:?}");
        assert!(ours.log_in().is_some());
        drop(strangers);
    }
}

#[tokio::test]
async fn a_flood_from_one_address_sends_away_only_its_own() {
    let admission = LoginAdmission::new(LIMITS);
    let mut ours = admission.enter(address("10.0.0.9"));
    let mut flood: Vec<_> = (0..1000).map(|_| admission.enter(address("192.0.2.1"))).collect();
    assert!(!has_to_go(&mut ours).await);
    assert!(!has_to_go(&mut flood[999]).await && has_to_go(&mut flood[0]).await);
    // A second flood from another address does not push ours out either.
    flood.extend((0..1000).map(|_| admission.enter(address("192.0.2.2"))));
    assert!(!has_to_go(&mut ours).await);
}

#[tokio::test]
async fn a_machine_is_one_source_whatever_addresses_it_has_for_itself() {
    for (one, other) in [
        ("127.0.0.1", "127.9.9.9"),
        ("127.0.0.1", "::1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff:1"),
    ] {
        assert_eq!(
            SourceNetwork::of(address(one)),
            SourceNetwork::of(address(other)),
            "{one} {other}"
        );
    }
    assert_ne!(
        SourceNetwork::of(address("2001:db8::1")),
        SourceNetwork::of(address("2001:db8:0:1::1"))
    );
    assert_ne!(SourceNetwork::of(address("192.0.2.1")), SourceNetwork::of(address("192.0.2.2")));
}

#[tokio::test]
async fn only_logins_that_succeeded_take_the_places_of_those_who_are_in() {
    let admission = LoginAdmission::new(LIMITS);
    let waiting: Vec<_> = (0..100).map(|_| admission.enter(address("192.0.2.1"))).collect();
    let log_in = || admission.enter(address("10.0.0.9")).log_in();
    let (first, second) = (log_in().expect("a place"), log_in().expect("a place"));
    assert!(log_in().is_none());
    drop(first);
    let third = log_in();
    assert!(third.is_some());
    drop((waiting, second, third));
    assert_eq!(admission.present().logged_in, 0);
    assert!(admission.present().waiting.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn a_login_does_not_go_back_a_step_and_so_never_waits_anew() {
    let admission = LoginAdmission::new(LIMITS);
    let stranger = admission.enter(address("192.0.2.1"));
    stranger.progress().reached(LoginStep::Encrypted);
    for step in [LoginStep::Encrypted, LoginStep::Connected, LoginStep::Identified] {
        stranger.progress().reached(step);
    }
    assert_eq!(admission.present().waiting.each_ref().map(Vec::len), [0, 0, 1]);
}

#[test]
fn the_places_leave_open_files_for_scripts() {
    for files in [96, 256, 1024, 65_536] {
        let AdmissionLimits { waiting, logged_in, leaving } = AdmissionLimits::for_files(files);
        let needed = 2 * (waiting.iter().sum::<usize>() + logged_in + leaving);
        assert!(needed <= files * 2 / 3, "{files} files, {needed} needed");
    }
    assert_eq!(AdmissionLimits::for_files(0).waiting, [4, 8, 4]);
    assert_eq!(AdmissionLimits::for_files(1024).waiting, [64, 128, 64]);
}

#[tokio::test(start_paused = true)]
async fn strangers_who_come_again_and_again_leave_a_login_its_time() {
    let limits = AdmissionLimits::for_files(1024);
    let admission = LoginAdmission::new(limits);
    let everybody = address("192.0.2.1");
    let come = async || {
        sleep_until(admission.opens_at()).await;
        let stranger = admission.enter(everybody);
        stranger.progress().reached(LoginStep::Identified);
        stranger
    };
    let mut strangers = Vec::new();
    for _ in 0..1000 {
        strangers.push(come().await);
    }
    let mut ours = come().await;
    let begun = Instant::now();
    while !has_to_go(&mut ours).await {
        strangers.push(come().await);
    }
    let time = begun.elapsed();
    assert!(time >= TIME_FOR_KEYS - limits.pause() * SENT_AWAY_AT_ONCE, "{time:?}");
    // After a quiet second the port accepts at once.
    sleep(Duration::from_secs(1)).await;
    assert!(admission.opens_at() <= Instant::now());
}

#[test]
fn those_who_are_about_to_go_are_waited_for_before_more_come() {
    let admission = LoginAdmission::new(LIMITS);
    let _places: Vec<_> = (0..10).map(|_| admission.enter(address("192.0.2.1"))).collect();
    // Eight wait, two must leave.
    assert!(admission.has_room(9) && !admission.has_room(10));
}

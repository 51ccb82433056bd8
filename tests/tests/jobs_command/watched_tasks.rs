//! `tasks list --watch` on a terminal: no row wraps, whatever the size, and the terminal is itself again however it ends.

use fargate_tests::{CheckedHost, END_AT, until, until_found};
use nix::sys::signal::Signal;

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

const ENTERED: &str = "\x1b[?1049h\x1b[?25l";
const LEFT: &str = "\x1b[?25h\x1b[?1049l";

/// Every line of every frame that came whole, without what moves the cursor.
fn frames(shown: &str) -> Vec<Vec<String>> {
    let frames = shown.split("\x1b[?2026h").skip(1);
    let frames = frames.filter_map(|frame| frame.split_once("\x1b[?2026l").map(|(frame, _)| frame));
    let clean = |line: &str| {
        ["\x1b[H", "\x1b[2K", "\x1b[J"]
            .iter()
            .fold(line.to_owned(), |line, code| line.replace(code, ""))
    };
    frames.map(|frame| frame.split("\r\n").map(clean).collect()).collect()
}

#[tokio::test]
async fn item_39_a_watched_list_wraps_no_row_and_gives_the_terminal_back() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let words = ["tasks", "list", "--watch"];
    let mut person = PersonAtTerminal::starts_in(&site, &words, "xterm-256color", (60, 20));
    person.sees("running").await;
    person.sees(&name_of(&job)).await;
    let narrow = frames(&person.screen());
    assert!(person.screen().starts_with(ENTERED), "{:?}", person.screen());
    for line in narrow.iter().flatten().map(|line| line.trim_end_matches('\r')) {
        assert!(line.chars().count() <= 60 && !line.contains('\x1b'), "{line:?}");
    }
    assert!(narrow.iter().all(|frame| frame.len() <= 20));
    let head = &narrow.last().expect("a frame")[0];
    assert!(head.starts_with("host "), "{head}");
    assert!(!narrow.last().expect("a frame").concat().contains("COST"));

    // It is drawn again at once, and with more columns there is more to see.
    person.resizes(200, 50);
    person.sees("COST, EST.").await;
    let wide = frames(&person.screen());
    for line in wide.iter().flatten().map(|line| line.trim_end_matches('\r')) {
        assert!(line.chars().count() <= 200, "{line:?}");
    }
    let head = &wide.last().expect("a frame")[0];
    assert!(head.contains("0 wait, 0 start, 1 run"), "{head}");
    person.signals(Signal::SIGINT);
    let (code, shown) = person.ends().await;
    assert_eq!(code, 0, "{shown:?}");
    let (_, after) = shown.split_once(LEFT).expect("the screen is left");
    assert!(after.contains("1 task is live on host "), "{after:?}");
    job.cleanup().await.passed();
    site.close().await;
}

/// The last frame, as one text.
fn last_frame(person: &PersonAtTerminal) -> String {
    frames(&person.screen()).last().map(|lines| lines.join("\n")).unwrap_or_default()
}

#[tokio::test]
async fn keys_choose_filter_explain_pause_and_stop_and_q_gives_the_terminal_back() {
    let site = CheckedHost::open().await;
    let (job, other) = (site.prepared().await, site.prepared().await);
    let words = ["tasks", "list", "--watch"];
    let mut person = PersonAtTerminal::starts(&site, &words);
    person.sees(&name_of(&other)).await;
    person.sees("q quit  up/down choose  Enter why").await;
    assert!(!person.has_usual_terminal(), "each key is read at once and not shown");
    person.types("?");
    person.sees("show only rows that have these words").await;
    person.types("\x1b");
    // A filter hides the other job.
    person.types(&format!("/{}\r", name_of(&job)));
    person.sees(&format!("filter: {}  q quit", name_of(&job))).await;
    let filtered = last_frame(&person);
    assert!(
        filtered.contains(&name_of(&job)) && !filtered.contains(&name_of(&other)),
        "{filtered}"
    );
    person.types("\r");
    person.sees("choose a row first: up or down").await;
    person.types("\x1b[B");
    person.sees("* > running").await;
    person.types("\r");
    until("why is shown", || {
        let why = last_frame(&person);
        why.contains("group/project") && why.contains("Esc back") && !why.contains("STATE")
    })
    .await;
    person.types("\x1b");
    until("the list is back", || last_frame(&person).contains("STATE")).await;
    // Return alone means no.
    person.types("s\r");
    person.sees("? The job ends as a system failure. [y/N]").await;
    person.sees("nothing was stopped").await;
    assert_eq!(site.task_of(&job).desired_status, "RUNNING");
    person.types("p");
    person.sees("updates are paused").await;
    person.types("psy");
    person.sees(" is being stopped").await;
    until("ECS was told", || site.task_of(&job).desired_status == "STOPPED").await;
    assert_eq!(site.task_of(&other).desired_status, "RUNNING");
    // Another size with a filter and a choice, then the end.
    person.resizes(50, 12);
    until_found("the frame fits the terminal", async || {
        let narrow = last_frame(&person);
        let fits = narrow.lines().all(|line| line.chars().count() <= 50)
            && narrow.lines().count() <= 12
            && !narrow.is_empty();
        if fits { Ok(()) } else { Err(narrow) }
    })
    .await;
    person.types("q");
    let (code, shown) = person.ends().await;
    assert_eq!(code, 0, "{shown:?}");
    let (_, after) = shown.split_once(LEFT).expect("the screen is left");
    assert!(after.contains(" live on host "), "{after:?}");
    job.cleanup().await.passed();
    other.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn item_39_a_bug_while_tasks_are_watched_gives_the_terminal_back_and_is_told_there() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let words = ["tasks", "list", "--watch"];
    let person = PersonAtTerminal::starts_with(&site, &words, &[(END_AT, "PANIC 1")]);
    let (code, shown) = person.ends().await;
    assert_eq!(code, 2, "{shown:?}");
    let (_, after) = shown.split_once(LEFT).expect("the screen is left");
    assert!(after.contains("fargate-runner: error: a bug in fargate-runner at "), "{after:?}");
    job.cleanup().await.passed();
    site.close().await;
}

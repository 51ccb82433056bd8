//! Terminals of a strange kind and size, and a paste that no terminal can hold.

use fargate_tests::CheckedHost;
use nix::sys::signal::Signal;

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

#[tokio::test]
async fn a_strange_kind_or_size_of_a_terminal_opens_a_shell_all_the_same() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let long = "x".repeat(4000);
    let kinds = ["", "\x1b]0;title\x07\x1b[2J", "a\nb", "../../etc/passwd", "%s%n$(id)", &long];
    for kind in kinds {
        let script = r#"printf %s "$TERM" | od -v -An -tx1 | tr -d ' \n'; exit 9"#;
        let words = ["jobs", "shell", &name, "--", "sh", "-c", script];
        let person = PersonAtTerminal::starts_in(&site, &words, kind, (100, 30));
        let (code, shown) = person.ends().await;
        let expected = if kind.is_empty() { "dumb" } else { kind };
        assert_eq!((code, shown), (9, hex::encode(expected)), "{kind:?}");
    }
    for size in [(0, 0), (0, 30), (1, 1), (u16::MAX, u16::MAX)] {
        let words = ["jobs", "shell", &name, "--", "sh", "-c", "stty size; exit 9"];
        let person = PersonAtTerminal::starts_in(&site, &words, "vt100", size);
        let (code, shown) = person.ends().await;
        let usual = if size.0 == 0 || size.1 == 0 { (80, 24) } else { size };
        assert_eq!((code, shown), (9, format!("{} {}\r\n", usual.1, usual.0)), "{size:?}");
    }
    site.close().await;
}

#[tokio::test]
async fn a_paste_of_10_mb_arrives_whole_and_one_that_nobody_reads_keeps_nobody() {
    const PASTE: usize = 10_000_000;
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
    let read = format!("head -c {PASTE} | tr -d p | wc -c | sed s/^/lost-/");
    person.types(&format!("stty raw -echo; echo raw-$((40 + 2)); {read}; stty sane\r"));
    person.sees("raw-42").await;
    person.pastes(vec![b'p'; PASTE]);
    person.sees("lost-0\n").await;
    person.types("sleep 1000\r");
    person.pastes(vec![b'x'; PASTE]);
    job.run("echo beside").await.passed();
    person.signals(Signal::SIGTERM);
    assert_eq!(person.ends_unseen().await, 143);
    job.run("true").await.passed();
    site.close().await;
}

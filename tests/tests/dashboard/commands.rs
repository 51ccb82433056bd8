//! Commands that pages print are commands of the program.

use std::collections::BTreeSet;
use std::process::Command;

use fargate_dashboard::samples::{self, NOW_MS, SampleNames};
use fargate_dashboard::{self as dashboard, PageBanner, PageFrame};
use fargate_tests::runner;
use regex::Regex;

/// Pages with all that they can say: samples, nothing at all, and each banner.
fn pages() -> Vec<String> {
    let names = SampleNames::default();
    let frame =
        PageFrame { is_operator: true, is_signed_in: true, at_ms: NOW_MS, ..PageFrame::default() };
    let not_configured = PageBanner::NotConfigured {
        missing: vec!["cluster".to_owned()],
        path: "/etc/x".to_owned(),
    };
    let bare = PageFrame { banner: Some(not_configured), ..frame.clone() };
    let first = fargate_status_answers::NowAnswer { is_first_use: true, ..Default::default() };
    vec![
        dashboard::now_page(&samples::now(&names), &frame),
        dashboard::now_page(&first, &bare),
        dashboard::job_page(&samples::denied_job(&names), &frame),
        dashboard::job_page(&samples::failed_job(&names), &frame),
        dashboard::job_page(&samples::running_job(&names), &frame),
        dashboard::history_page(&Default::default(), &frame),
        dashboard::cost_page(&Default::default(), &frame),
        dashboard::images_page(&samples::images(&names), &frame),
        dashboard::images_page(&Default::default(), &frame),
        dashboard::checks_page(&Default::default(), &frame),
        dashboard::sign_in_page(&frame, None),
    ]
}

#[test]
fn item_16_each_command_on_a_page_is_one_of_the_program() {
    // The words of the command, up to the first option or number.
    let command = Regex::new(r"fargate-runner((?: [a-z][a-z-]*)+)").expect("a pattern");
    let tags = Regex::new("<[^>]*>").expect("a pattern");
    let mut commands = BTreeSet::new();
    for page in pages() {
        let text = tags.replace_all(&page, "");
        commands.extend(command.captures_iter(&text).map(|found| found[1].trim().to_owned()));
    }
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let asked = Command::new(runner()).args(command.split(' ')).arg("--help").output();
        let asked = asked.expect("the program starts");
        assert!(asked.status.success(), "{command}: {}", String::from_utf8_lossy(&asked.stderr));
    }
}

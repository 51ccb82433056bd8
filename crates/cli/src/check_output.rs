//! What `check` prints: failures first, then what is not known, warnings, and in one line what passed.

use fargate_model::text::{duration, escape};
use fargate_status_answers::{CheckLine, CheckOutcome, ChecksAnswer};
use fargate_terminal::{StateMark, Style, TerminalCapabilities, style, wrap};

/// Widest prose, in columns: longer lines are hard to read. Ours.
const MAX_PROSE: usize = 100;
/// Below this width, a name stands on a line of its own.
const NARROW: usize = 60;

/// For people; `width` is that of the terminal.
pub fn table(answer: &ChecksAnswer, width: Option<usize>, can: TerminalCapabilities) -> String {
    let width = width.unwrap_or(MAX_PROSE).min(MAX_PROSE);
    let (passed, others): (Vec<&CheckLine>, Vec<&CheckLine>) =
        answer.checks.iter().partition(|line| line.outcome == CheckOutcome::Pass);
    let mut lines = wrap(&escape(&answer.answer), width);
    lines.extend(egress(answer, width));
    if !others.is_empty() {
        lines.push(String::new());
    }
    let longest = others.iter().map(|line| escape(&line.name).chars().count()).max();
    for line in others {
        lines.extend(finding(line, longest.unwrap_or_default(), width, can));
    }
    if !passed.is_empty() {
        lines.push(String::new());
        let mark = can.paint(style::PASSED, StateMark::Passed.symbol(can.unicode));
        let words = format!("{} passed: {}", passed.len(), names(&passed));
        lines.extend(hanging(&format!("{mark} "), 2, &words, width));
    }
    lines.push(String::new());
    lines.extend(wrap(&summary(answer), width));
    lines.join("\n")
}

fn egress(answer: &ChecksAnswer, width: usize) -> Vec<String> {
    if answer.egress.is_empty() {
        return Vec::new();
    }
    let shown = |it: &fargate_status_answers::EgressAddress| match it.zone.is_empty() {
        true => escape(&it.address),
        false => format!("{} ({})", escape(&it.address), escape(&it.zone)),
    };
    let all: Vec<String> = answer.egress.iter().map(shown).collect();
    let mut lines = vec![String::new()];
    lines.extend(wrap(&format!("Jobs leave from {}. Allow-list these.", all.join(", ")), width));
    lines
}

fn finding(
    line: &CheckLine,
    longest: usize,
    width: usize,
    can: TerminalCapabilities,
) -> Vec<String> {
    let (sign, colour) = mark(line.outcome, can.unicode);
    let mark = can.paint(colour, sign);
    let name = escape(&line.name);
    let found = escape(&line.found);
    let mut lines = match width < NARROW {
        true => {
            let mut lines = vec![format!("{mark} {name}")];
            lines.extend(hanging("  ", 2, &found, width));
            lines
        }
        false => hanging(&format!("{mark} {name:<longest$}  "), longest + 4, &found, width),
    };
    if let Some(fix) = &line.fix {
        let head = if line.outcome == CheckOutcome::Unknown { "To know: " } else { "Fix: " };
        lines.extend(hanging("    ", 4, &format!("{head}{}", escape(fix)), width));
    }
    if let Some(command) = &line.command {
        // Whole, so that it can be copied.
        lines.push(format!("      {}", can.paint(style::COMMAND, &escape(command))));
    }
    lines
}

/// `text` behind `head`, which is `indent` columns wide; what does not fit goes on below, as far in.
fn hanging(head: &str, indent: usize, text: &str, width: usize) -> Vec<String> {
    let lines = wrap(text, width.saturating_sub(indent).max(20));
    let below = " ".repeat(indent);
    let place = |(number, line): (usize, String)| match number {
        0 => format!("{head}{line}"),
        _ => format!("{below}{line}"),
    };
    lines.into_iter().enumerate().map(place).collect()
}

fn mark(outcome: CheckOutcome, unicode: bool) -> (&'static str, Style) {
    match outcome {
        CheckOutcome::Fail => (StateMark::Failed.symbol(unicode), style::FAILED),
        CheckOutcome::Unknown => ("?", style::WAITING),
        CheckOutcome::Warn => ("!", style::WAITING),
        CheckOutcome::Pass => (StateMark::Passed.symbol(unicode), style::PASSED),
    }
}

/// The names of the checks, each once, with a number where it has several lines.
fn names(lines: &[&CheckLine]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match counted.iter_mut().find(|(name, _)| *name == line.name) {
            Some((_, count)) => *count += 1,
            None => counted.push((&line.name, 1)),
        }
    }
    let shown = counted.into_iter().map(|(name, count)| match count {
        1 => escape(name),
        count => format!("{} {count}", escape(name)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn summary(answer: &ChecksAnswer) -> String {
    let count = |outcome| answer.checks.iter().filter(|line| line.outcome == outcome).count();
    let took = answer.took_ms.map(|ms| duration(std::time::Duration::from_millis(ms)));
    let mut parts = vec![match took {
        Some(took) => format!("checked in {took}"),
        None => "checked".to_owned(),
    }];
    for (outcome, words) in [
        (CheckOutcome::Fail, "failed"),
        (CheckOutcome::Unknown, "could not tell"),
        (CheckOutcome::Warn, "with a warning"),
    ] {
        let count = count(outcome);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    parts.join(", ")
}

/// One document: what the page shows.
pub fn json(answer: &ChecksAnswer) -> String {
    serde_json::to_string_pretty(answer).expect("texts and numbers are JSON")
}

/// One document for each check, each on a line of its own.
pub fn ndjson(answer: &ChecksAnswer) -> String {
    let line = |line: &CheckLine| serde_json::to_string(line).expect("texts are JSON");
    answer.checks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One line for each check.
pub fn tsv(answer: &ChecksAnswer) -> String {
    let row = |line: &CheckLine| {
        let outcome = match line.outcome {
            CheckOutcome::Fail => "fail",
            CheckOutcome::Unknown => "unknown",
            CheckOutcome::Warn => "warn",
            CheckOutcome::Pass => "pass",
        };
        let optional = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
        let (fix, command) = (optional(&line.fix), optional(&line.command));
        [outcome, &line.id, &line.name, &line.found, &fix, &command].map(escape).join("\t")
    };
    answer.checks.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use fargate_status_answers::EgressAddress;

    use super::*;

    fn line(name: &str, outcome: CheckOutcome, found: &str) -> CheckLine {
        let (name, found) = (name.to_owned(), found.to_owned());
        CheckLine { id: name.to_lowercase(), name, outcome, found, ..CheckLine::default() }
    }

    fn answer() -> ChecksAnswer {
        let mut way_out = line(
            "Way out",
            CheckOutcome::Fail,
            "subnet-0c3 (eu-west-1c) has no route to a NAT gateway: tasks in eu-west-1c have no way out",
        );
        way_out.fix = Some("give the subnet's route table a route to a NAT gateway".to_owned());
        way_out.command = Some(
            "aws ec2 create-route --route-table-id rtb-0c3 --destination-cidr-block 0.0.0.0/0 \
             --nat-gateway-id nat-0c3"
                .to_owned(),
        );
        let mut pass = line(
            "Pass role",
            CheckOutcome::Unknown,
            "iam:SimulatePrincipalPolicy is not allowed, so this is not known",
        );
        pass.fix = Some("allow iam:SimulatePrincipalPolicy on role ci-manager".to_owned());
        let quota = "64, and 30 slots of up to 4 vCPU need 120";
        ChecksAnswer {
            answer: "1 of 6 checks fails: tasks in eu-west-1c have no way out.".to_owned(),
            took_ms: Some(2_100),
            egress: vec![EgressAddress {
                address: "203.0.113.17".to_owned(),
                zone: "eu-west-1a".to_owned(),
            }],
            checks: vec![
                way_out,
                pass,
                line("vCPU quota", CheckOutcome::Warn, quota),
                line("Identity", CheckOutcome::Pass, "x"),
                line("Subnets", CheckOutcome::Pass, "x"),
                line("Subnets", CheckOutcome::Pass, "y"),
            ],
            ..ChecksAnswer::default()
        }
    }

    fn plain() -> TerminalCapabilities {
        TerminalCapabilities { live: false, colour: false, unicode: true }
    }

    #[test]
    fn failures_come_first_each_with_what_to_do() {
        let shown = table(&answer(), Some(88), plain());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "1 of 6 checks fails: tasks in eu-west-1c have no way out.");
        assert_eq!(lines[2], "Jobs leave from 203.0.113.17 (eu-west-1a). Allow-list these.");
        assert!(
            lines[4].starts_with("✗ Way out     subnet-0c3 (eu-west-1c) has no route"),
            "{shown}"
        );
        let begin = |text: &str| lines.iter().position(|line| line.starts_with(text));
        let places = [
            begin("✗ Way out"),
            begin("    Fix: give the subnet's route table"),
            begin("      aws ec2 create-route "),
            begin("? Pass role   iam:Simulate"),
            begin("    To know: allow iam:SimulatePrincipalPolicy on role ci-manager"),
            begin("! vCPU quota  64, and 30 slots of up to 4 vCPU need 120"),
            begin("✓ 3 passed: Identity, Subnets 2"),
            begin("checked in 2.1 s, 1 failed, 1 could not tell, 1 with a warning"),
        ];
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{shown}");
    }

    #[test]
    fn a_narrow_terminal_gets_names_on_lines_of_their_own_and_whole_commands() {
        let shown = table(&answer(), Some(40), plain());
        let is_command = |line: &&str| line.trim_start().starts_with("aws ");
        assert!(
            shown.lines().filter(|line| !is_command(line)).all(|line| line.len() <= 42),
            "{shown}"
        );
        assert_eq!(shown.lines().filter(is_command).count(), 1);
        assert!(shown.lines().any(|line| line == "✗ Way out"), "{shown}");
    }

    #[test]
    fn what_an_account_says_cannot_move_the_cursor() {
        let mut hostile = answer();
        hostile.checks[0].found = "\x1b[2Jgone\n\u{202e}".to_owned();
        hostile.answer = "\x07".to_owned();
        let shown =
            [table(&hostile, Some(80), plain()), tsv(&hostile), json(&hostile), ndjson(&hostile)];
        for shown in shown {
            assert!(!shown.contains(['\x1b', '\x07']), "{shown:?}");
        }
        for rows in [tsv(&hostile), ndjson(&hostile)] {
            assert_eq!(rows.lines().count(), hostile.checks.len(), "{rows}");
        }
    }

    #[test]
    fn colours_can_be_left_out() {
        let colour = TerminalCapabilities { colour: true, ..plain() };
        let painted = table(&answer(), Some(88), colour);
        assert!(painted.contains("\x1b[31m"));
        let bare: String = {
            let codes = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[0m"];
            codes.iter().fold(painted, |text, code| text.replace(code, ""))
        };
        assert_eq!(bare, table(&answer(), Some(88), plain()));
    }
}

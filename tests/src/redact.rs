//! Replaces what differs from run to run, so that a test can compare a text as a whole.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what is shown in its place. In order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // These contain shorter ids, so they come first.
        (r"[0-9a-f]{32}", "TASK"),
        (r"\b[Tt]ask [0-9a-f]{8}\b", "task ID"),
        (r"section_(start|end):\d+", "section_$1:TIME"),
        (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:FINGERPRINT"),
        (r"\|[/=.|x]*\|", "|BAR|"),
        (r"127\.80\.\d+\.\d+", "ADDRESS"),
        (r"(?:127\.0\.0\.1|ADDRESS|port) ?:?\d{4,5}\b", "PLACE"),
        (r"\d+(?:\.\d+)? (?:ms|s)\b", "T"),
        (r"(RunTask|network|pull|start|agent|proof) \d+\.\d+", "$1 T"),
        (r"\d+m \d+s", "T"),
    ]
    .map(|(pattern, shown)| (Regex::new(pattern).expect("a pattern of ours"), shown))
    .into()
});

/// `text` without colours, carriage returns, times, ids, addresses and fingerprints.
#[must_use]
pub fn redacted(text: &str) -> String {
    let colours = Regex::new("\x1b\\[[0-9;]*[mK]").expect("a pattern of ours");
    let plain = colours.replace_all(text, "").replace('\r', "|");
    RULES
        .iter()
        .fold(plain, |text, (pattern, shown)| pattern.replace_all(&text, *shown).into_owned())
}

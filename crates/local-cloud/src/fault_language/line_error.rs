//! What is wrong with one line of rules.

use fargate_model::text::escape_within;

use super::words::QuoteError;

/// Characters of a given word that the message repeats.
const REPEATED: usize = 60;

/// Text that was given, with control characters escaped, and shortened.
pub(super) fn shown(text: &str) -> String {
    match text {
        "" => "nothing".to_owned(),
        text => format!("`{}`", escape_within(text, REPEATED)),
    }
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum RuleLineError {
    #[error(
        "a rule is WHO, WHEN, a colon, a blank and WHAT, as in `RunTask call 2: throttle`; this line \
         has no colon with a blank after it"
    )]
    NoColon,
    #[error("{expected} is expected{}; given: {}", place(.after), shown(.given))]
    Expected { after: &'static str, expected: &'static str, given: String },
    #[error("{} is not an operation of this cloud{}; allowed: any, {allowed}", shown(.given), meant(.like))]
    Operation { given: String, like: Option<&'static str>, allowed: String },
    #[error("{} is not a condition for {about}; allowed: {allowed}", shown(.given))]
    Condition { given: String, about: &'static str, allowed: &'static str },
    #[error("{} is not a fault of {about}; allowed: {allowed}", shown(.given))]
    Answer { given: String, about: &'static str, allowed: &'static str },
    #[error("{what} is given twice")]
    Twice { what: &'static str },
    #[error("`{what}` does not fit {operation}; it fits {fits}")]
    Unfit { what: &'static str, operation: String, fits: &'static str },
    #[error("a seed needs a probability, as in `10% seed 7`")]
    SeedAlone,
    #[error(
        "the rule would end before it begins: `until {until}` is not later than `after {after}`"
    )]
    EmptyWindow { after: String, until: String },
    #[error("the range ends before it begins: {from}-{to}")]
    EmptyRange { from: u64, to: u64 },
    #[error("a rule for tasks needs a state, as in `task 3 at RUNNING + 2s: hold`")]
    NoPhase,
    #[error("`hold` takes no delay, because it holds the task from the beginning of the state")]
    HeldLater,
    #[error("nothing is expected after {after}; given: {}", shown(.given))]
    Junk { after: &'static str, given: String },
    #[error(transparent)]
    Opened(#[from] QuoteError),
    #[error("after `=` a JSON value is expected: {why}; given: {}", shown(.given))]
    Json { given: String, why: String },
}

fn place(after: &str) -> String {
    if after.is_empty() { String::new() } else { format!(" after `{after}`") }
}

fn meant(like: &Option<&str>) -> String {
    like.map(|like| format!(" (did you mean {like}?)")).unwrap_or_default()
}

//! The patterns of phases: once per page, one copy for each owner, because a pattern has the colour of
//! the place where it stands.

use maud::{Markup, PreEscaped};

/// Who holds a job: the class that colours what is drawn.
pub(crate) fn owner_class(owner: &str) -> &'static str {
    match owner {
        "queue" => "o-queue",
        "AWS" => "o-aws",
        "runner" => "o-runner",
        "job" => "o-job",
        _ => "o-stop",
    }
}

const QUEUE: &str = r#"width="6" height="6" patternTransform="rotate(45)"><rect width="2" height="6" fill="currentColor"/>"#;
const NET: &str = r#"width="8" height="4"><rect width="8" height="2.6" fill="currentColor"/>"#;
const START: &str = r#"width="4" height="8"><rect width="2.6" height="8" fill="currentColor"/>"#;
const PULL: &str = r#"width="6" height="6"><path d="M0 0h6v6h-6z M3 1.6a1.4 1.4 0 1 0 0 2.8a1.4 1.4 0 1 0 0-2.8z" fill="currentColor" fill-rule="evenodd"/>"#;
const AGENT: &str = r#"width="6" height="6"><path d="M0 0h6v6h-6z" fill="currentColor"/><path d="M1 1l4 4M5 1l-4 4" class="stroke-bg"/>"#;
const OWN: &str = r#"width="5" height="5"><circle cx="2.5" cy="2.5" r="1.3" fill="currentColor"/>"#;

/// Name, owner's class, and shape of each pattern that a page uses.
const PATTERNS: [(&str, &str, &str); 8] = [
    ("p-queue", "o-queue", QUEUE),
    ("p-net", "o-aws", NET),
    ("p-pull", "o-aws", PULL),
    ("p-start", "o-aws", START),
    ("p-agent", "o-runner", AGENT),
    ("p-own", "o-job", OWN),
    ("p-lost", "o-fail", QUEUE),
    ("p-idle", "o-stop", OWN),
];

pub(crate) fn pattern_definitions() -> Markup {
    let mut out = String::from(
        r#"<svg class="definitions" width="0" height="0" aria-hidden="true" focusable="false"><defs>"#,
    );
    for (id, class, shape) in PATTERNS {
        out.push_str(&format!(
            r#"<pattern id="{id}" class="{class}" patternUnits="userSpaceOnUse" {shape}</pattern>"#
        ));
    }
    out.push_str("</defs></svg>");
    PreEscaped(out)
}

/// The fill of a phase: a pattern, its colour alone, or nothing inside its outline.
pub(crate) fn fill_of(phase: &str) -> &'static str {
    match phase {
        "queue" | "held" => "url(#p-queue)",
        "network" => "url(#p-net)",
        "pull" => "url(#p-pull)",
        "start" => "url(#p-start)",
        "agent" => "url(#p-agent)",
        "own" | "own_stage" => "url(#p-own)",
        "stop" => "none",
        _ => "currentColor",
    }
}

/// Who holds the job in a phase of a strip.
pub(crate) fn strip_owner(phase: &str) -> &'static str {
    match phase {
        "queue" | "held" => "o-queue",
        "run_task" | "network" | "pull" | "start" => "o-aws",
        "agent" | "proof" => "o-runner",
        "stop" => "o-stop",
        _ => "o-job",
    }
}

//! What a URL asks of the history: filters, window, order and page.
//!
//! A parameter that is not known, or whose value is not, filters nothing and is named in a notice, with the
//! nearest one that is known; the list is never emptied by a typing error. `q` holds free text and
//! `key:value` pairs, as the box of the page has them. This module asks no database.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use fargate_model::text::escape_within;

use crate::clock::{DAY_MS, HOUR_MS, day_begin, month_begin, parse_moment};

/// Most values of one list.
const MOST_VALUES: usize = 50;
/// Longest free text.
const LONGEST_TEXT: usize = 200;
/// Longest object of a cause. Source: the history keeps no longer one.
const LONGEST_OBJECT: usize = 1024;
/// What stands for a cause that is about nothing that is known.
const NO_OBJECT: &str = "-";
/// Keys that are as short as a word of many jobs' names: `post:deploy` means no `cost`.
const SHORT_KEY: usize = 4;
/// Most jobs of one page.
pub const MOST_PER_PAGE: u64 = 200;
/// Jobs of a page unless the URL says otherwise.
pub const PER_PAGE: u64 = 50;
/// Longest window: what the history keeps at most.
const LONGEST_WINDOW_MS: u64 = 400 * DAY_MS;

/// A range of numbers with open or closed ends.
pub type NumberRange = (Bound<u64>, Bound<u64>);

/// What a URL asks.
#[derive(Clone, Debug, PartialEq)]
pub struct JobQuery {
    /// Start of the window, in milliseconds since 1970.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// Whether the window moves with time.
    pub is_moving: bool,
    /// Whether the URL names the window.
    pub names_window: bool,
    /// Whether the window is about the end of a job, and not about when it was received.
    pub by_end: bool,
    /// Free text: names, projects, branches, ids.
    pub text: Option<String>,
    /// Verdicts, as JSON spells them.
    pub verdicts: Vec<String>,
    /// Slugs of causes.
    pub causes: Vec<String>,
    /// What causes are about; `None`: nothing that is known.
    pub objects: Vec<Option<String>>,
    /// Classes of causes.
    pub classes: Vec<String>,
    /// Projects.
    pub projects: Vec<String>,
    /// Images as configured.
    pub images: Vec<String>,
    /// Sizes for people.
    pub sizes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Branches and tags.
    pub refs: Vec<String>,
    /// On Spot, or not.
    pub spot: Option<bool>,
    /// Length of the start, in ms.
    pub start_ms: Option<NumberRange>,
    /// Length of the job, in ms.
    pub lived_ms: Option<NumberRange>,
    /// Cost, in millionths of a US dollar.
    pub cost: Option<NumberRange>,
    /// `started`, `start`, `lived` or `cost`.
    pub sort: &'static str,
    /// Whether the greatest comes first.
    pub is_descending: bool,
    /// The cursor of the page.
    pub after: Option<String>,
    /// The cursor of the page before.
    pub before: Option<String>,
    /// Jobs of a page.
    pub per: u64,
    /// `project`, `size`, `image`: what costs are grouped by.
    pub by: Option<String>,
    /// Whether causes are wanted instead of jobs.
    pub by_cause: bool,
    /// Whether the newest group of the page of now stands first, and not the gravest.
    pub newest_first: bool,
    /// What was not understood.
    pub notices: Vec<String>,
}

/// The filters of every list of jobs.
const FILTERS: [&str; 15] = [
    "q", "verdict", "cause", "object", "class", "project", "image", "size", "host", "spot", "ref",
    "start", "lived", "cost", "last",
];
/// Parameters beside filters.
const OTHERS: [&str; 11] =
    ["from", "to", "window", "sort", "after", "before", "per", "group", "by", "view", "try"];
/// Verdicts: what URLs say, and what JSON says.
const VERDICTS: [(&str, &str); 7] = [
    ("passed", "passed"),
    ("failed", "failed"),
    ("system", "system_failure"),
    ("system_failure", "system_failure"),
    ("timed_out", "timed_out"),
    ("timeout", "timed_out"),
    ("cancelled", "cancelled"),
];
const SORTS: [&str; 4] = ["started", "start", "lived", "cost"];

impl JobQuery {
    /// What `query` asks at `now_ms`, for a window of `window_ms` unless it names one. Without
    /// `with_names`, filters on names say nothing: they would tell what is hidden.
    #[must_use]
    pub fn parse(query: &str, now_ms: u64, window_ms: u64, with_names: bool) -> Self {
        let mut asked = Self {
            from_ms: now_ms.saturating_sub(window_ms),
            to_ms: now_ms,
            is_moving: true,
            names_window: false,
            by_end: false,
            text: None,
            verdicts: Vec::new(),
            causes: Vec::new(),
            objects: Vec::new(),
            classes: Vec::new(),
            projects: Vec::new(),
            images: Vec::new(),
            sizes: Vec::new(),
            hosts: Vec::new(),
            refs: Vec::new(),
            spot: None,
            start_ms: None,
            lived_ms: None,
            cost: None,
            sort: "started",
            is_descending: true,
            after: None,
            before: None,
            per: PER_PAGE,
            by: None,
            by_cause: false,
            newest_first: false,
            notices: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !value.is_empty() {
                asked.take(&name, &value, now_ms);
            }
        }
        asked.check_window();
        if !with_names {
            asked.forget_names();
        }
        asked
    }

    fn take(&mut self, name: &str, value: &str, now_ms: u64) {
        match name {
            "q" => self.take_text(value, now_ms),
            "verdict" => self.take_verdicts(value),
            "cause" => add(&mut self.causes, value),
            // Zones and subnets have commas.
            "object" if self.objects.len() < MOST_VALUES => {
                let object: String = value.chars().take(LONGEST_OBJECT).collect();
                self.objects.push(Some(object).filter(|object| object != NO_OBJECT));
            }
            "object" => {}
            "class" => add(&mut self.classes, value),
            "project" => add(&mut self.projects, value),
            "image" => add(&mut self.images, value),
            // A size has a comma: `2 vCPU, 4 GB`.
            "size" => add_one(&mut self.sizes, value),
            "host" => add(&mut self.hosts, value),
            "ref" => add(&mut self.refs, value),
            "spot" => match value {
                "true" | "yes" | "1" => self.spot = Some(true),
                "false" | "no" | "0" => self.spot = Some(false),
                other => self.notice_value("spot", other, "yes, no"),
            },
            "start" | "lived" => match range(value, milliseconds) {
                Some(range) if name == "start" => self.start_ms = Some(range),
                Some(range) => self.lived_ms = Some(range),
                None => self.notice_value(name, value, ">60s, <10s, 40s..80s"),
            },
            "cost" => match range(value, micro_dollars) {
                Some(range) => self.cost = Some(range),
                None => self.notice_value(name, value, ">0.05, <1, 0.05..1"),
            },
            "last" => match window(value, now_ms) {
                Some(from_ms) => {
                    (self.from_ms, self.to_ms, self.is_moving) = (from_ms, now_ms, true);
                    self.names_window = true;
                }
                None => self.notice_value("last", value, "1h, 24h, 7d, 30d, today, month"),
            },
            "from" | "to" => match parse_moment(value) {
                Some(at_ms) => {
                    let end = if name == "from" { &mut self.from_ms } else { &mut self.to_ms };
                    *end = at_ms;
                    (self.is_moving, self.names_window) = (false, true);
                }
                None => self.notice_value(name, value, "2026-11-29T14:00:00Z"),
            },
            "window" => match value {
                "received" => self.by_end = false,
                "ended" => self.by_end = true,
                other => self.notice_value("window", other, "received, ended"),
            },
            "sort" => self.take_sort(value),
            "after" => self.after = Some(value.to_owned()),
            "before" => self.before = Some(value.to_owned()),
            "per" => match value.parse().ok().filter(|per| (1..=MOST_PER_PAGE).contains(per)) {
                Some(per) => self.per = per,
                None => self.notice_value("per", value, "1 to 200"),
            },
            "by" => self.by = Some(value.chars().take(LONGEST_TEXT).collect()),
            "group" if value == "cause" => self.by_cause = true,
            "group" => self.notice_value("group", value, "cause"),
            "view" | "try" | "format" => {}
            other => self.notice_name(other),
        }
    }

    /// Free text with `key:value` pairs in it. What begins with a quotation mark is text.
    fn take_text(&mut self, text: &str, now_ms: u64) {
        let mut free = Vec::new();
        for (word, is_quoted) in words(text) {
            match word.split_once(':').filter(|_| !is_quoted) {
                Some((name, value)) if name != "q" && FILTERS.contains(&name) => {
                    self.take(name, value, now_ms);
                }
                // `test:e2e` is a job's name.
                Some((name, value)) if !value.starts_with("//") => match misspelt(name) {
                    // If it were text, too, it would leave out every job.
                    Some(nearest) => self.notice_word(name, nearest, &word),
                    None => free.push(word),
                },
                _ => free.push(word),
            }
        }
        let free = free.join(" ");
        if !free.is_empty() {
            self.text = Some(free.chars().take(LONGEST_TEXT).collect());
        }
    }

    fn take_verdicts(&mut self, value: &str) {
        for given in value.split(',').map(str::trim).filter(|given| !given.is_empty()) {
            let spelled = given.replace(' ', "_");
            match VERDICTS.iter().find(|(word, _)| *word == spelled) {
                Some((_, word)) => self.verdicts.push((*word).to_owned()),
                None => self.notice_value(
                    "verdict",
                    given,
                    "passed, failed, system, timed_out, cancelled",
                ),
            }
        }
        self.verdicts.truncate(MOST_VALUES);
    }

    fn take_sort(&mut self, value: &str) {
        let (name, is_descending) =
            value.strip_prefix('-').map_or((value, false), |name| (name, true));
        // The page of now sorts its groups so.
        if matches!(value, "impact" | "newest") {
            self.newest_first = value == "newest";
            return;
        }
        match SORTS.iter().find(|sort| **sort == name) {
            Some(sort) => (self.sort, self.is_descending) = (sort, is_descending),
            None => {
                self.notice_value("sort", value, "started, start, lived, cost, with - before it")
            }
        }
    }

    fn notice_name(&mut self, name: &str) {
        let shown = escape_within(name, 60);
        self.notices.push(match nearest(name) {
            Some(nearest) => format!("Unknown filter `{shown}`. Did you mean `{nearest}`?"),
            None => format!("Unknown filter `{shown}`. Known: {}.", FILTERS.join(", ")),
        });
        self.notices.truncate(10);
    }

    /// A word of the text that filters nothing, because it was meant as a filter.
    fn notice_word(&mut self, name: &str, nearest: &str, word: &str) {
        let word = escape_within(word, 60);
        self.notices.push(format!(
            "Unknown filter `{name}`. Did you mean `{nearest}`? In quotation marks it is text: `\"{word}\"`."
        ));
        self.notices.truncate(10);
    }

    /// Looks at all that the history keeps. Of a window that the URL names nothing is changed.
    pub fn look_at_all(&mut self, what: &str) {
        if self.names_window {
            return;
        }
        self.from_ms = self.to_ms.saturating_sub(LONGEST_WINDOW_MS);
        let what = escape_within(what, 60);
        self.notices.push(format!("`{what}` is looked for in the whole history."));
    }

    fn notice_value(&mut self, name: &str, value: &str, allowed: &str) {
        let shown = escape_within(value, 60);
        self.notices.push(format!("`{name}` cannot be `{shown}`. Possible: {allowed}."));
        self.notices.truncate(10);
    }

    fn check_window(&mut self) {
        if self.from_ms >= self.to_ms {
            self.notices.push("The window ends before it begins; it was turned around.".to_owned());
            (self.from_ms, self.to_ms) = (self.to_ms, self.from_ms.max(self.to_ms + 1));
        }
        self.from_ms = self.from_ms.max(self.to_ms.saturating_sub(LONGEST_WINDOW_MS));
    }

    fn forget_names(&mut self) {
        let lists = [&mut self.projects, &mut self.refs, &mut self.images];
        // An object names an image or a secret.
        let had_objects = !std::mem::take(&mut self.objects).is_empty();
        let had = self.text.take().is_some() | lists.iter().any(|list| !list.is_empty());
        lists.into_iter().for_each(Vec::clear);
        if had | had_objects {
            let notice = "Filters on names are off: sign in to use them.";
            self.notices.push(notice.to_owned());
        }
    }

    /// Whether the query narrows the window's jobs down.
    #[must_use]
    pub fn has_filter(&self) -> bool {
        let lists = [
            &self.verdicts,
            &self.causes,
            &self.classes,
            &self.projects,
            &self.images,
            &self.sizes,
            &self.hosts,
            &self.refs,
        ];
        lists.iter().any(|list| !list.is_empty())
            || !self.objects.is_empty()
            || self.text.is_some()
            || self.spot.is_some()
            || [&self.start_ms, &self.lived_ms, &self.cost].iter().any(|range| range.is_some())
    }

    /// The same question without one of its filters, for each of them.
    #[must_use]
    pub fn without_each(&self) -> Vec<(&'static str, Self)> {
        let mut all = Vec::new();
        let mut without = |key: &'static str, remove: fn(&mut JobQuery)| {
            let mut query = self.clone();
            remove(&mut query);
            if query != *self {
                all.push((key, query));
            }
        };
        without("q", |query| query.text = None);
        without("verdict", |query| query.verdicts.clear());
        without("cause", |query| query.causes.clear());
        without("object", |query| query.objects.clear());
        without("class", |query| query.classes.clear());
        without("project", |query| query.projects.clear());
        without("image", |query| query.images.clear());
        without("size", |query| query.sizes.clear());
        without("host", |query| query.hosts.clear());
        without("spot", |query| query.spot = None);
        without("ref", |query| query.refs.clear());
        without("start", |query| query.start_ms = None);
        without("lived", |query| query.lived_ms = None);
        without("cost", |query| query.cost = None);
        all
    }

    /// The window in words: `last 24 hours`.
    #[must_use]
    pub fn window_words(&self) -> String {
        let ms = self.to_ms - self.from_ms;
        match (self.is_moving, ms) {
            (true, HOUR_MS) => "last hour".to_owned(),
            (true, ms) if ms.is_multiple_of(HOUR_MS) && ms <= 48 * HOUR_MS => {
                format!("last {} hours", ms / HOUR_MS)
            }
            (true, ms) if ms.is_multiple_of(DAY_MS) => format!("last {} days", ms / DAY_MS),
            _ => format!(
                "{} to {}",
                crate::clock::moment(self.from_ms),
                crate::clock::moment(self.to_ms)
            ),
        }
    }
}

/// The lower and upper end of a range, both included.
#[must_use]
pub fn ends(range: &NumberRange) -> (Option<u64>, Option<u64>) {
    let low = match range.start_bound() {
        Bound::Included(n) => Some(*n),
        Bound::Excluded(n) => Some(n.saturating_add(1)),
        Bound::Unbounded => None,
    };
    let high = match range.end_bound() {
        Bound::Included(n) => Some(*n),
        Bound::Excluded(n) => Some(n.saturating_sub(1)),
        Bound::Unbounded => None,
    };
    (low, high)
}

fn add(list: &mut Vec<String>, value: &str) {
    let values = value.split(',').map(str::trim).filter(|value| !value.is_empty());
    values.for_each(|value| add_one(list, value));
}

fn add_one(list: &mut Vec<String>, value: &str) {
    if list.len() < MOST_VALUES {
        list.push(value.chars().take(LONGEST_TEXT).collect());
    }
}

/// Splits at blanks that are not within quotation marks. With each word: whether it begins with such a mark.
fn words(text: &str) -> Vec<(String, bool)> {
    let mut words = vec![(String::new(), false)];
    let mut is_quoted = false;
    for c in text.chars().take(4 * LONGEST_TEXT) {
        let (word, begins_quoted) = words.last_mut().expect("there is always one");
        match c {
            '"' => {
                *begins_quoted |= word.is_empty() && !is_quoted;
                is_quoted = !is_quoted;
            }
            c if c.is_whitespace() && !is_quoted => words.push((String::new(), false)),
            c => word.push(c),
        }
    }
    words.retain(|(word, _)| !word.is_empty());
    words
}

fn looks_like_name(name: &str) -> bool {
    (3..=12).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase())
}

/// The filter that was meant by a word before a colon. A short key was meant only if its letters are there in
/// another order, as in `hots`.
fn misspelt(name: &str) -> Option<&'static str> {
    let letters = |word: &str| {
        let mut letters = word.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    let meant = nearest(name).filter(|near| looks_like_name(name) && FILTERS.contains(near))?;
    (meant.len() > SHORT_KEY || letters(meant) == letters(name)).then_some(meant)
}

/// The known parameter that differs least, if any is near.
fn nearest(name: &str) -> Option<&'static str> {
    let name: String = name.chars().take(40).collect();
    let known = FILTERS.iter().chain(&OTHERS).filter(|known| known.len() > 1);
    let near = known.map(|known| (strsim::damerau_levenshtein(known, &name), *known)).min()?;
    (near.0 <= near.1.len() / 3 && near.0 > 0).then_some(near.1)
}

/// `>60s`, `<10s`, `40s..80s`, `60s`.
fn range(text: &str, number: impl Fn(&str) -> Option<u64>) -> Option<NumberRange> {
    let text = text.trim();
    let open = Bound::Unbounded;
    if let Some((low, high)) = text.split_once("..") {
        let end = |text: &str, bound: fn(u64) -> Bound<u64>| match text.trim() {
            "" => Some(Bound::Unbounded),
            text => number(text).map(bound),
        };
        return Some((end(low, Bound::Included)?, end(high, Bound::Excluded)?));
    }
    for (sign, low, bound) in [
        (">=", true, Bound::Included as fn(u64) -> Bound<u64>),
        ("<=", false, Bound::Included),
        (">", true, Bound::Excluded),
        ("<", false, Bound::Excluded),
    ] {
        if let Some(rest) = text.strip_prefix(sign) {
            let bound = bound(number(rest)?);
            return Some(if low { (bound, open) } else { (open, bound) });
        }
    }
    let exact = number(text)?;
    Some((Bound::Included(exact), Bound::Included(exact)))
}

/// `60s`, `1m 30s`, `500ms`; a bare number is seconds.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let seconds = text.parse().ok().map(Duration::try_from_secs_f64);
    let time = match seconds {
        Some(seconds) => seconds.ok()?,
        None => humantime::parse_duration(text).ok()?,
    };
    u64::try_from(time.as_millis()).ok()
}

/// `0.05` or `$0.05`, in millionths.
fn micro_dollars(text: &str) -> Option<u64> {
    const MOST: f64 = 1e9;
    let dollars: f64 = text.trim().trim_start_matches('$').parse().ok()?;
    if !(0.0..=MOST).contains(&dollars) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited above")]
    Some((dollars * 1e6).round() as u64)
}

/// The start of a window that ends now.
fn window(text: &str, now_ms: u64) -> Option<u64> {
    match text {
        "today" => Some(day_begin(now_ms)),
        "month" => Some(month_begin(now_ms)),
        text => {
            let time = humantime::parse_duration(text).ok()?;
            let ms = u64::try_from(time.as_millis()).ok().filter(|ms| *ms > 0)?;
            Some(now_ms.saturating_sub(ms.min(LONGEST_WINDOW_MS)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_989_600_000;

    fn asked(query: &str) -> JobQuery {
        JobQuery::parse(query, NOW, DAY_MS, true)
    }

    #[test]
    fn the_box_and_the_menus_say_the_same() {
        let box_text = asked("q=project:acme/web+verdict:failed,system+unit+start:>60s");
        let menus = asked("project=acme/web&verdict=failed,system&q=unit&start=%3E60s");
        assert_eq!(box_text, menus);
        assert_eq!(menus.verdicts, ["failed", "system_failure"]);
        assert_eq!(menus.start_ms, Some((Bound::Excluded(60_000), Bound::Unbounded)));
        assert_eq!(menus.text.as_deref(), Some("unit"));
        assert!(menus.notices.is_empty() && menus.has_filter());
    }

    #[test]
    fn what_is_not_known_is_named_and_empties_nothing() {
        let typo = asked("verdct=failed");
        assert_eq!(typo.notices, ["Unknown filter `verdct`. Did you mean `verdict`?"]);
        assert!(!typo.has_filter());
        let value = asked("verdict=broken&last=soon&per=1000&sort=name");
        assert_eq!(value.notices.len(), 4, "{:?}", value.notices);
        assert_eq!((value.verdicts.len(), value.per, value.sort), (0, PER_PAGE, "started"));
        let odd = asked("%1b[2J=1");
        assert!(!odd.notices[0].contains('\x1b'));
    }

    /// The whole word was text as well, so the list was empty.
    #[test]
    fn a_misspelt_filter_in_the_box_is_named_and_filters_nothing() {
        let typo = asked("q=verdct:failed");
        assert_eq!(
            typo.notices,
            [
                "Unknown filter `verdct`. Did you mean `verdict`? In quotation marks it is text: `\"verdct:failed\"`."
            ]
        );
        assert!(!typo.has_filter(), "{typo:?}");
        assert_eq!(JobQuery { notices: Vec::new(), ..typo }, asked(""));
        let beside = asked("q=unit+hots:ci-1+verdict:failed");
        assert_eq!((beside.text.as_deref(), beside.hosts.len()), (Some("unit"), 0));
        assert_eq!((beside.verdicts.len(), beside.notices.len()), (1, 1), "{:?}", beside.notices);
    }

    #[test]
    fn a_job_s_name_with_a_colon_is_text() {
        for name in ["test:e2e", "post:deploy", "list:all", "build:linux"] {
            let query = asked(&format!("q={name}"));
            assert_eq!(query.text.as_deref(), Some(name));
            assert!(query.notices.is_empty(), "{:?}", query.notices);
        }
        // One that looks like a filter, in quotation marks.
        let query = asked("q=%22images:build%22");
        assert_eq!((query.text.as_deref(), query.notices.len()), (Some("images:build"), 0));
        let value = asked("q=project:%22acme/web%22");
        assert_eq!((value.text, value.projects), (None, vec!["acme/web".to_owned()]));
    }

    #[test]
    fn an_object_is_whole_and_a_dash_is_no_object() {
        let query = asked("object=eu-west-1a,+eu-west-1b&object=-&window=ended");
        assert_eq!(query.objects, [Some("eu-west-1a, eu-west-1b".to_owned()), None]);
        assert!(query.by_end && query.has_filter() && query.notices.is_empty());
        assert_eq!(
            asked("window=soon").notices,
            ["`window` cannot be `soon`. Possible: received, ended."]
        );
    }

    #[test]
    fn only_a_window_that_the_url_does_not_name_becomes_the_whole_history() {
        let mut all = asked("q=gl-4411");
        all.look_at_all("gl-4411");
        assert_eq!(all.to_ms - all.from_ms, LONGEST_WINDOW_MS);
        assert_eq!(all.notices, ["`gl-4411` is looked for in the whole history."]);
        for named in ["q=gl-4411&last=1h", "q=gl-4411&from=2026-11-01T00:00:00Z"] {
            let mut query = asked(named);
            let before = query.clone();
            query.look_at_all("gl-4411");
            assert_eq!(query, before);
        }
    }

    #[test]
    fn each_filter_can_be_left_out_alone() {
        let query = asked("verdict=failed&project=acme/web&cost=>1&last=1h");
        let keys: Vec<_> = query.without_each().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["verdict", "project", "cost"]);
        let set: String =
            FILTERS.iter().filter(|key| **key != "last").map(|key| format!("{key}=1&")).collect();
        let all = asked(&set.replace("verdict=1", "verdict=failed")).without_each();
        assert_eq!(all.len(), FILTERS.len() - 1, "a new filter can be left out, too");
    }

    #[test]
    fn ranges_have_the_ends_that_they_name() {
        let cost = |text| asked(&format!("cost={text}")).cost.map(|range| ends(&range));
        assert_eq!(cost(">0.05"), Some((Some(50_001), None)));
        assert_eq!(cost("<$1"), Some((None, Some(999_999))));
        assert_eq!(cost("0.05..1"), Some((Some(50_000), Some(999_999))));
        assert_eq!(cost("much"), None);
        let lived = |text| asked(&format!("lived={text}")).lived_ms.map(|range| ends(&range));
        assert_eq!(lived("1m 30s.."), Some((Some(90_000), None)));
        assert_eq!(lived(">=2"), Some((Some(2000), None)));
        assert_eq!(lived("-1"), None);
    }

    #[test]
    fn a_window_is_in_the_url_and_never_endless() {
        assert_eq!(asked("").window_words(), "last 24 hours");
        assert_eq!(asked("last=7d").window_words(), "last 7 days");
        assert_eq!(asked("last=1h").window_words(), "last hour");
        let fixed = asked("from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z");
        insta::assert_snapshot!(fixed.window_words(), @"2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z");
        assert!(!fixed.is_moving);
        let all = asked("from=0");
        assert_eq!(all.to_ms - all.from_ms, LONGEST_WINDOW_MS);
        let turned = asked("from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z");
        assert!(turned.from_ms < turned.to_ms && turned.notices.len() == 1);
    }

    #[test]
    fn who_did_not_sign_in_cannot_ask_for_names() {
        let hidden = JobQuery::parse(
            "q=secret&project=acme/web&ref=main&image=acme/ci&host=ci-1",
            NOW,
            DAY_MS,
            false,
        );
        assert!(hidden.text.is_none() && hidden.projects.is_empty() && hidden.refs.is_empty());
        assert!(hidden.images.is_empty());
        assert_eq!((hidden.hosts.len(), hidden.notices.len()), (1, 1));
    }

    #[test]
    fn no_query_makes_the_parser_panic() {
        let many_sizes = "size=1&".repeat(MOST_VALUES + 1);
        assert_eq!(asked(&many_sizes).sizes.len(), MOST_VALUES);
        let odd = [
            "=",
            "&&",
            "q=:::",
            "q=%00",
            "from=99999999999999999999",
            "to=0",
            "last=99999999999y",
            "start=..",
            "start=1e400",
            "cost=nan",
            "size=,,,",
            "q=%22",
            "per=0",
            "from=18446744073709551615&to=18446744073709551615",
        ];
        for query in odd {
            let asked = asked(query);
            assert!(asked.from_ms < asked.to_ms || asked.to_ms == u64::MAX, "{query}");
        }
    }
}

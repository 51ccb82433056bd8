//! Finds all forms of some secrets in a text, and replaces each by one word.
//!
//! Each byte of a match is masked, so no rest shows if two secrets overlap. A part of a secret at
//! the beginning or end of a text counts as a secret that was cut there.
//!
//! It does not know where secrets come from.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{SHORTEST, forms};

/// The word that replaces a secret. gitlab-runner writes the same.
pub const MASK: &str = "[MASKED]";

/// Bytes of a form that the search automaton contains; the rest is compared. Otherwise one long key
/// would cost each process of a job more memory than everything else.
const SEARCHED: usize = 32;

/// Bytes that are compared for any text, however short; see [`ComparisonBudget`].
const PATIENCE: usize = 1024 * 1024;

/// Masks a fixed set of secrets.
pub struct SecretMasker {
    /// Finds beginnings of forms. `None` if no secret is known.
    finder: Option<AhoCorasick>,
    /// The forms in order, so that those with the same beginning are neighbours.
    forms: Vec<Vec<u8>>,
    /// For each beginning, the forms that have it.
    beginnings: Vec<Range<usize>>,
}

impl std::fmt::Debug for SecretMasker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masker({} forms)", self.forms.len())
    }
}

impl Drop for SecretMasker {
    fn drop(&mut self) {
        self.forms.iter_mut().for_each(zeroize::Zeroize::zeroize);
    }
}

impl SecretMasker {
    /// Makes a masker of these secrets. Secrets below [`SHORTEST`] are left out.
    pub fn of<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let long_enough = secrets.filter(|secret| secret.len() >= SHORTEST);
        let mut forms: Vec<Vec<u8>> = long_enough.flat_map(forms::all).collect();
        forms.sort();
        forms.dedup();
        // Prefer a small automaton to a fast one: the texts are short, and every process of a job
        // has one.
        let kind = AhoCorasickKind::ContiguousNFA;
        let mut beginnings: Vec<Range<usize>> = Vec::new();
        for (n, form) in forms.iter().enumerate() {
            match beginnings.last_mut() {
                Some(last) if beginning(&forms[last.start]) == beginning(form) => last.end = n + 1,
                _ => beginnings.push(n..n + 1),
            }
        }
        let searched = beginnings.iter().map(|alike| beginning(&forms[alike.start]));
        let finder = (!forms.is_empty())
            .then(|| AhoCorasick::builder().kind(Some(kind)).prefilter(false).build(searched));
        // It fails only for more than the limits on secrets allow.
        let finder = finder.map(|built| built.expect("the forms are few and short"));
        Self { finder, forms, beginnings }
    }

    /// Returns `text` with all secrets masked.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.text_beside(text, &[])
    }

    /// Masks all secrets, except where they lie within one of `ids`. If a secret is part of our own
    /// name, it cannot be hidden there anyway.
    #[must_use]
    pub fn text_beside<'a>(&self, text: &'a str, ids: &[&str]) -> Cow<'a, str> {
        let mut found = self.found(text.as_bytes());
        if !found.is_empty() {
            let named = ids.iter().filter(|id| !id.is_empty());
            let named = named.flat_map(|id| text.match_indices(id));
            let named: Vec<_> = named.map(|(at, id)| at..at + id.len()).collect();
            found.retain(|part| {
                !named.iter().any(|id| id.start <= part.start && part.end <= id.end)
            });
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(masked(text.as_bytes(), 0..text.len(), &found))
    }

    /// Masks each piece of a text that came in pieces, as if they were one text.
    #[must_use]
    pub fn pieces(&self, pieces: &[String]) -> Vec<String> {
        let whole = pieces.concat();
        let found = self.found(whole.as_bytes());
        let mut begin = 0;
        pieces
            .iter()
            .map(|piece| {
                let part = begin..begin + piece.len();
                begin = part.end;
                // A piece may also end within a secret of which no more came.
                self.text(&masked(whole.as_bytes(), part, &found)).into_owned()
            })
            .collect()
    }

    /// The parts of `text` that belong to secrets, in order and without overlap.
    fn found(&self, text: &[u8]) -> Vec<Range<usize>> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut budget = ComparisonBudget(PATIENCE + text.len() * 16);
        let whole = finder.find_overlapping_iter(text).map(|found| {
            let alike = &self.forms[self.beginnings[found.pattern().as_usize()].clone()];
            let rest = &text[found.start()..];
            let longest = alike.iter().map(|form| budget.agreeing(rest, form)).max();
            found.start()..found.start() + longest.unwrap_or(found.len())
        });
        let mut found: Vec<Range<usize>> = whole.collect();
        found.extend(self.forms.iter().filter_map(|form| budget.begins_within(text, form)));
        found.extend(self.forms.iter().filter_map(|form| budget.ends_within(text, form)));
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for next in found {
            match apart.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => apart.push(next),
            }
        }
        apart
    }
}

fn beginning(form: &[u8]) -> &[u8] {
    &form[..form.len().min(SEARCHED)]
}

/// How many more bytes may be compared. A secret that repeats itself, in a text that repeats it,
/// would otherwise take quadratic time. When the budget is used up, everything that may be a secret
/// counts as one.
struct ComparisonBudget(usize);

impl ComparisonBudget {
    /// How many bytes both have in common at their beginning.
    fn agreeing(&mut self, text: &[u8], form: &[u8]) -> usize {
        let most = text.len().min(form.len());
        if self.0 == 0 {
            return most;
        }
        let alike = text.iter().zip(form).take_while(|(a, b)| a == b).count();
        self.0 = self.0.saturating_sub(alike);
        alike
    }

    fn are_equal(&mut self, text: &[u8], part: &[u8]) -> bool {
        if text.first() != part.first() || text.last() != part.last() {
            return false;
        }
        if self.0 == 0 {
            return true;
        }
        self.0 = self.0.saturating_sub(part.len());
        text == part
    }

    /// The longest end of a form with which the text begins, if it is long enough.
    fn begins_within(&mut self, text: &[u8], form: &[u8]) -> Option<Range<usize>> {
        let longest = (form.len() - 1).min(text.len());
        let mut lengths = (SHORTEST..=longest).rev();
        let length = lengths
            .find(|length| self.are_equal(&text[..*length], &form[form.len() - length..]))?;
        Some(0..length)
    }

    /// The longest beginning of a form with which the text ends, if it is long enough.
    fn ends_within(&mut self, text: &[u8], form: &[u8]) -> Option<Range<usize>> {
        let longest = (form.len() - 1).min(text.len());
        let mut lengths = (SHORTEST..=longest).rev();
        let length = lengths
            .find(|length| self.are_equal(&text[text.len() - length..], &form[..*length]))?;
        Some(text.len() - length..text.len())
    }
}

/// Returns this part of `whole`, with one word for each match that lies in it.
fn masked(whole: &[u8], part: Range<usize>, found: &[Range<usize>]) -> String {
    let mut out = Vec::with_capacity(part.len());
    let mut at = part.start;
    for range in found.iter().filter(|r| r.start < part.end && r.end > part.start) {
        out.extend_from_slice(&whole[at..range.start.max(at)]);
        out.extend_from_slice(MASK.as_bytes());
        at = range.end.min(part.end);
    }
    out.extend_from_slice(&whole[at..part.end]);
    // A secret that is not text may have been cut out of the middle of a character.
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    fn masker(secrets: &[&str]) -> SecretMasker {
        SecretMasker::of(secrets.iter().map(|secret| secret.as_bytes()))
    }

    const SECRET: &str = "p/s w+rd&\"quoted\"";

    #[test]
    fn every_form_of_a_secret_is_masked_and_ordinary_words_are_not() {
        let masker = masker(&[SECRET]);
        for form in [
            SECRET,
            "p%2Fs%20w%2Brd%26%22quoted%22",
            "p%2fs%20w%2brd%26%22quoted%22",
            "p%2Fs+w%2Brd%26%22quoted%22",
            r#"p/s w+rd&\"quoted\""#,
        ] {
            assert_eq!(masker.text(&format!("<{form}>")), "<[MASKED]>", "{form}");
        }
        let calm = "password and words, quoted";
        assert!(matches!(masker.text(calm), Cow::Borrowed(text) if text == calm));
    }

    #[test]
    fn of_secrets_that_overlap_or_touch_nothing_is_left() {
        let masker = masker(&["canary-abcdef", "abcdef-second", "third-canary"]);
        assert_eq!(masker.text("1 canary-abcdef-second 2"), "1 [MASKED] 2");
        assert_eq!(masker.text("1 canary-abcdefthird-canary 2"), "1 [MASKED] 2");
    }

    #[test]
    fn a_secret_within_a_name_of_ours_is_masked_everywhere_else() {
        let masker = masker(&["production", "canary-id"]);
        let arn = "arn:aws:ecs:eu-west-1:1:task/production/0a1b";
        let beside = |text: &str| masker.text_beside(text, &["", arn]).into_owned();
        let told = format!("task {arn} said production");
        assert_eq!(beside(&told), format!("task {arn} said [MASKED]"));
        assert_eq!(beside("task/production/0a1c"), "task/[MASKED]/0a1c");
        // What reaches beyond the name is not part of it.
        let masker = self::masker(&["0a1b-secret"]);
        let told = format!("{arn}-secret");
        let shown = masker.text_beside(&told, &[arn]).into_owned();
        assert_eq!(shown, "arn:aws:ecs:eu-west-1:1:task/production/[MASKED]");
    }

    #[test]
    fn secrets_that_repeat_themselves_cost_a_bounded_time() {
        let secrets: Vec<String> = (0..14).map(|n| "a".repeat(4000 - n)).collect();
        let masker = SecretMasker::of(secrets.iter().map(|secret| secret.as_bytes()));
        let mut budget = ComparisonBudget(PATIENCE);
        assert_eq!(budget.agreeing(&[b'a'; 5000], &[b'a'; 4000]), 4000);
        assert_eq!(budget.0, PATIENCE - 4000);
        assert_eq!(masker.text(&"a".repeat(300_000)), MASK);
        assert_eq!(
            ComparisonBudget(0).agreeing(b"abc", b"abd"),
            3,
            "what may be a secret counts as one"
        );
    }

    #[test]
    fn what_is_shorter_than_eight_bytes_is_no_secret() {
        let masker = masker(&["seven77", "", "eight888"]);
        assert_eq!(masker.text("seven77 eight888"), "seven77 [MASKED]");
    }

    #[test]
    fn a_secret_across_two_pieces_is_masked_in_both() {
        let masker = masker(&["canary-secret-1"]);
        let pieces = ["log: canary-", "secret-1 end", "canary-secr"].map(str::to_owned);
        assert_eq!(masker.pieces(&pieces), ["log: [MASKED]", "[MASKED] end", "[MASKED]"]);
    }

    #[test]
    fn a_long_secret_is_masked_as_far_as_it_goes_and_one_that_begins_alike_as_well() {
        let long = format!("canary-{}", "0123456789".repeat(30));
        let alike = format!("{}-other-end", &long[..60]);
        let masker = masker(&[&long, &alike]);
        assert_eq!(masker.text(&format!("<{long}>")), "<[MASKED]>");
        assert_eq!(masker.text(&format!("<{alike}>")), "<[MASKED]>");
        // Of a secret that was cut in the middle, only the part that differs is shown.
        assert_eq!(masker.text(&format!("<{}...>", &long[..200])), "<[MASKED]...>");
        assert_eq!(masker.text(&format!("<{}>", &long[..20])), format!("<{}>", &long[..20]));
    }

    /// Secrets and text from the same few characters, so that they also match by chance.
    fn words() -> impl Strategy<Value = (String, String, String, usize)> {
        ("[a-c/+ %\"ü]{8,24}", "[a-c/+ %\"ü]{0,40}", "[a-c/+ %\"ü]{0,40}", 0..3_usize)
    }

    proptest! {
        #[test]
        fn no_split_and_no_cut_shows_a_secret(
            (secret, before, after, form) in words(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let masker = masker(&[&secret]);
            let written = match form {
                0 => secret.clone(),
                1 => STANDARD.encode(&secret),
                _ => URL_SAFE_NO_PAD.encode(&secret),
            };
            // The form is too short to be recognised.
            prop_assume!(written.len() >= SHORTEST);
            let text = format!("{before}{written}{after}");
            let whole = masker.text(&text);
            prop_assert!(!whole.contains(&secret), "{whole}");
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let mut at: Vec<usize> = cuts.iter().map(|cut| *cut.get(&bounds)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces: Vec<String> = at.windows(2).map(|w| text[w[0]..w[1]].to_owned()).collect();
            let shown = masker.pieces(&pieces);
            // Together, alone, and if the pieces after a cut never came.
            prop_assert!(!shown.concat().contains(&secret), "{shown:?}");
            for n in 0..pieces.len() {
                let cut = masker.pieces(&pieces[..n]).concat();
                let cut = cut.replace(MASK, "\n");
                let tail = secret.char_indices().map(|(at, _)| &secret[..at]);
                for tail in tail.filter(|tail| tail.len() >= SHORTEST) {
                    prop_assert!(form != 0 || !cut.ends_with(tail), "{cut:?}");
                }
            }
        }

        #[test]
        fn base64_is_masked_wherever_in_it_the_secret_begins(
            secret in "[!-~]{8,90}", before in "[!-~]{0,7}", after in "[!-~]{0,7}",
        ) {
            let text = STANDARD_NO_PAD.encode(format!("{before}{secret}{after}"));
            let shown = masker(&[&secret]).text(&text).into_owned();
            prop_assert!(shown.contains(MASK), "{shown}");
            // The characters that remain around it also hold bits of its neighbours.
            let room = (before.len() + after.len()) * 8 / 6 + 4;
            prop_assert!(shown.len() <= MASK.len() + room, "{shown}");
        }
    }
}

//! The filter as one line of text, `project:acme/web verdict:failed,system lint`, and back.

/// What may stand before a colon, in the order in which the text shows it. `q` has no key.
pub(crate) const FILTER_KEYS: [&str; 13] = [
    "project", "verdict", "cause", "object", "class", "image", "size", "host", "spot", "ref",
    "start", "lived", "cost",
];

/// The text of a filter. Values with blanks stand in quotation marks.
#[must_use]
pub fn filter_text(pairs: &[(String, String)]) -> String {
    let mut words = Vec::new();
    for key in FILTER_KEYS {
        for (_, value) in pairs.iter().filter(|(it, value)| it == key && !value.is_empty()) {
            words.push(format!("{key}:{}", quoted(value)));
        }
    }
    let free = pairs.iter().filter(|(key, value)| key == "q" && !value.is_empty());
    words.extend(free.map(|(_, value)| value.trim().to_owned()));
    words.join(" ")
}

fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("\"{value}\"") } else { value.to_owned() }
}

/// The parameters that a text means. What has no known key is free text, `q`. A word whose key is not
/// known (`verdct:failed`) becomes a parameter too, so that the answer can name it.
#[must_use]
pub fn filter_pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut free = Vec::new();
    for word in words_of(text) {
        match word.split_once(':').filter(|(key, value)| is_key(key) && !value.is_empty()) {
            Some((key, value)) => pairs.push((key.to_owned(), value.replace('"', ""))),
            None => free.push(word),
        }
    }
    if !free.is_empty() {
        pairs.push(("q".to_owned(), free.join(" ")));
    }
    pairs
}

/// A key is known, or is so like a known one that it was meant as one. `test:e2e` is a job's name.
fn is_key(word: &str) -> bool {
    FILTER_KEYS.contains(&word)
        || FILTER_KEYS.iter().any(|key| key.len() > 4 && is_one_edit_away(key, word))
}

fn is_one_edit_away(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let ends = a.iter().rev().zip(b.iter().rev());
    let shorter = a.len().min(b.len());
    let same_end = ends.take(shorter - same_start).take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - same_start - same_end <= 1
}

/// Words, where blanks inside quotation marks separate nothing.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    for c in text.chars().take(2000) {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.push(c);
            }
            c if c.is_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_filter_survives_its_way_through_text() {
        let filter = pairs(&[
            ("project", "acme/web"),
            ("verdict", "failed,system_failure"),
            ("size", "2 vCPU, 4 GB"),
            ("q", "test:e2e flaky"),
        ]);
        let text = filter_text(&filter);
        assert_eq!(
            text,
            "project:acme/web verdict:failed,system_failure size:\"2 vCPU, 4 GB\" test:e2e flaky"
        );
        assert_eq!(filter_pairs(&text), filter);
    }

    #[test]
    fn a_misspelt_key_stays_a_key_so_that_it_can_be_named() {
        assert_eq!(filter_pairs("verdct:failed"), pairs(&[("verdct", "failed")]));
        assert_eq!(filter_pairs("build:linux"), pairs(&[("q", "build:linux")]));
        assert_eq!(filter_pairs("  "), pairs(&[]));
    }
}

//! The wildcards of policies: `*` for any text, `?` for one character.

/// Whether `text` fits `pattern`.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut star, mut from) = (0, None, 0);
    let mut next = 0;
    while next < text.len() {
        match pattern.get(at) {
            Some('*') => {
                (star, from) = (Some(at), next);
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[next] => {
                at += 1;
                next += 1;
            }
            // The last star takes one more character.
            _ => {
                let Some(last) = star else { return false };
                from += 1;
                (at, next) = (last + 1, from);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*b*b", "abab"), ("", "")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a?", "a"), ("a*c", "abb"), ("", "a"), ("*b", "abc"), ("?", "")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}

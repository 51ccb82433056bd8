//! Patterns of policies: `*` stands for any characters, `?` for one.

/// Whether a text fits a pattern. Case counts.
pub(crate) fn fits_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Where to go on after a `*` that took too little. One place suffices: an earlier `*` need not take more
    // than it did once a later one was reached.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut read) = (0, 0);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text) in [
            ("*", ""),
            ("ecs:*", "ecs:RunTask"),
            ("ecs:Describe*", "ecs:DescribeTasks"),
            ("a*b*c", "axbbc"),
            ("arn:aws:ecs:*:1:task/?/*", "arn:aws:ecs:x:1:task/c/y"),
            ("", ""),
        ] {
            assert!(fits_pattern(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?", "a"), ("ecs:Run", "ecs:RunTask"), ("a*b", "ac")] {
            assert!(!fits_pattern(pattern, text), "{pattern} {text}");
        }
        let (long, text) = ("a*".repeat(2000), "a".repeat(20_000) + "b");
        assert!(!fits_pattern(&(long + "c"), &text), "and it ends soon");
    }

    /// The definition itself, which takes long for many stars.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            Some((wanted, rest)) => {
                text.first().is_some_and(|found| *wanted == '?' || wanted == found)
                    && slow(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_its_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits_pattern(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }
    }
}

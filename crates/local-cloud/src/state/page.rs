//! Pages of a listing. A token names the last entry of the page before, so that entries which come
//! and go in between neither repeat nor vanish.

use crate::wire::refusal::Refusal;

/// One page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub items: Vec<String>,
    pub next_token: Option<String>,
}

/// Cuts `items`, which are in their final order, to the page after `token`.
///
/// `limit` is the most that a page holds, and what it holds without `max_results`.
pub fn page(
    items: Vec<String>,
    max_results: Option<i32>,
    token: Option<&str>,
    limit: usize,
) -> Result<Page, Refusal> {
    let wanted = max_results.map_or(Ok(limit), usize::try_from).unwrap_or(0);
    if !(1..=limit).contains(&wanted) {
        return Err(Refusal::parameter(format!(
            "Invalid maxResults: it must be between 1 and {limit}"
        )));
    }
    let from = match token {
        None => 0,
        Some(token) => after(&items, token)
            .ok_or_else(|| Refusal::parameter("Invalid token: it is of another listing"))?,
    };
    let mut items = items.into_iter().skip(from).peekable();
    let chosen: Vec<_> = items.by_ref().take(wanted).collect();
    let next_token = chosen.last().filter(|_| items.peek().is_some()).map(hex::encode);
    Ok(Page { items: chosen, next_token })
}

/// The index after the entry that `token` names, or after where it would stand.
fn after(items: &[String], token: &str) -> Option<usize> {
    let last = String::from_utf8(hex::decode(token).ok()?).ok()?;
    if let Some(index) = items.iter().position(|item| *item == last) {
        return Some(index + 1);
    }
    let ascending = items.is_sorted();
    Some(items.partition_point(|item| if ascending { *item <= last } else { *item >= last }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(names: &str) -> Vec<String> {
        names.chars().map(String::from).collect()
    }

    #[test]
    fn pages_follow_each_other_even_when_an_entry_vanishes_between() {
        let first = page(items("abcde"), Some(2), None, 100).expect("a page");
        assert_eq!(first.items, ["a", "b"]);
        let token = first.next_token.expect("there is more");
        let second = page(items("acde"), Some(2), Some(&token), 100).expect("a page");
        assert_eq!(second.items, ["c", "d"]);
        let token = second.next_token.expect("there is more");
        let third = page(items("acde"), Some(2), Some(&token), 100).expect("a page");
        assert_eq!(third, Page { items: items("e"), next_token: None });
    }

    #[test]
    fn a_full_last_page_has_no_token_and_wrong_limits_are_refused() {
        assert_eq!(page(items("ab"), Some(2), None, 100).expect("a page").next_token, None);
        for wrong in [0, -1, 101] {
            assert!(page(items("ab"), Some(wrong), None, 100).is_err());
        }
        assert!(page(items("ab"), None, Some("not hex"), 100).is_err());
    }

    #[test]
    fn a_descending_listing_goes_on_below_a_vanished_entry() {
        let token = hex::encode("d");
        let rest = page(items("ecba"), None, Some(&token), 100).expect("a page");
        assert_eq!(rest.items, ["c", "b", "a"]);
    }
}

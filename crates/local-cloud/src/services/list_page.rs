//! The pages of a listing. A token names the last entry of the page before, so that the next page is right
//! even if entries were added or removed meanwhile.

use crate::wire::exception::ServiceException;

/// One page.
#[derive(Debug, PartialEq, Eq)]
pub struct ListPage {
    pub items: Vec<String>,
    pub next_token: Option<String>,
}

/// Returns the page of `items` after `token`. The items are in their final order.
///
/// A page has at most `limit` items, and `limit` items without `max_results`.
pub fn page(
    items: Vec<String>,
    max_results: Option<i32>,
    token: Option<&str>,
    limit: usize,
) -> Result<ListPage, ServiceException> {
    let wanted = max_results.map_or(Ok(limit), usize::try_from).unwrap_or(0);
    if !(1..=limit).contains(&wanted) {
        return Err(ServiceException::parameter(format!(
            "Invalid maxResults: it must be between 1 and {limit}"
        )));
    }
    let from = match token {
        None => 0,
        Some(token) => after(&items, token).ok_or_else(|| {
            ServiceException::parameter("Invalid token: it is of another listing")
        })?,
    };
    let next_token = (from + wanted < items.len())
        .then(|| hex::encode(format!("{} {}", from + wanted - 1, items[from + wanted - 1])));
    let items = items.into_iter().skip(from).take(wanted).collect();
    Ok(ListPage { items, next_token })
}

/// The index after the entry that `token` names. If that entry was removed: the index where it was.
fn after(items: &[String], token: &str) -> Option<usize> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    let (index, last) = text.split_once(' ')?;
    let index: usize = index.parse().ok()?;
    let found = items.iter().position(|item| item == last);
    Some(found.map_or(index, |found| found + 1).min(items.len()))
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
        assert_eq!(third, ListPage { items: items("e"), next_token: None });
    }

    #[test]
    fn a_full_last_page_has_no_token_and_wrong_limits_are_refused() {
        assert_eq!(page(items("ab"), Some(2), None, 100).expect("a page").next_token, None);
        for wrong in [0, -1, 101] {
            assert!(page(items("ab"), Some(wrong), None, 100).is_err());
        }
        assert!(page(items("ab"), None, Some("not hex"), 100).is_err());
    }
}

//! The part of an address after `?`: read, changed, and written in one fixed order, so that equal views
//! have equal addresses.

use form_urlencoded::{Serializer, parse};

use crate::filter_text::filter_pairs;

/// The order of the parameters that pages know. Others come after them, as they were.
const ORDER: [&str; 28] = [
    "host", "project", "q", "verdict", "cause", "object", "class", "image", "size", "spot", "ref",
    "start", "lived", "cost", "last", "from", "to", "window", "sort", "after", "before", "per",
    "group", "by", "try", "view", "channel", "show",
];

/// Parameters with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageQuery(Vec<(String, String)>);

impl PageQuery {
    /// Reads the part after `?`.
    pub(crate) fn of(query: &str) -> Self {
        let query = query.strip_prefix('?').unwrap_or(query);
        Self(parse(query.as_bytes()).into_owned().collect())
    }

    /// The same with `key:value` of the free text as parameters of their own, and with the short spelling
    /// of verdicts, so that boxes and menus show what the text says.
    pub(crate) fn with_text_read(&self) -> Self {
        let mut pairs = Vec::new();
        for (key, value) in &self.0 {
            match key.as_str() {
                "q" => pairs.extend(filter_pairs(value)),
                _ => pairs.push((key.clone(), value.clone())),
            }
        }
        for (_, value) in pairs.iter_mut().filter(|(key, _)| key == "verdict") {
            *value = value.replace("system_failure", "system");
        }
        Self(pairs)
    }

    /// The first value of a parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, v)| v.as_str())
    }

    /// The values of a parameter, which commas separate.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|v| !v.is_empty()).collect()
    }

    /// The same with one parameter set, or removed if the value is empty.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.0.iter().filter(|(key, _)| key != name).cloned().collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Self(pairs)
    }

    /// The same without some parameters.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let keep = |(key, _): &&(String, String)| !names.contains(&key.as_str());
        Self(self.0.iter().filter(keep).cloned().collect())
    }

    /// The same with a value added to a list, or taken out if it is there.
    pub(crate) fn toggled(&self, name: &str, value: &str) -> Self {
        let mut values = self.list(name);
        match values.iter().position(|it| *it == value) {
            Some(at) => {
                values.remove(at);
            }
            None => values.push(value),
        }
        self.with(name, &values.join(","))
    }

    /// Whether any of these parameters is set.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }

    /// The pairs, in the fixed order.
    pub(crate) fn pairs(&self) -> Vec<&(String, String)> {
        let place = |key: &str| ORDER.iter().position(|it| *it == key).unwrap_or(ORDER.len());
        let mut pairs: Vec<_> = self.0.iter().filter(|(_, value)| !value.is_empty()).collect();
        pairs.sort_by_key(|(key, _)| place(key));
        pairs
    }

    /// The address of a page with these parameters.
    pub(crate) fn href(&self, path: &str) -> String {
        let mut serializer = Serializer::new(String::new());
        for (key, value) in self.pairs() {
            serializer.append_pair(key, value);
        }
        // Commas and colons need no encoding in a query, and people read addresses.
        let query = serializer.finish().replace("%2C", ",").replace("%3A", ":");
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_views_have_equal_addresses() {
        let one = PageQuery::of("last=1h&verdict=failed").with("project", "acme/web");
        let other = PageQuery::of("project=acme%2Fweb&verdict=failed&last=1h");
        assert_eq!(one.href("/history"), other.href("/history"));
        assert_eq!(one.href("/history"), "/history?project=acme%2Fweb&verdict=failed&last=1h");
    }

    #[test]
    fn a_box_takes_its_value_out_of_the_list_again() {
        let query = PageQuery::of("verdict=failed");
        let both = query.toggled("verdict", "timed_out");
        assert_eq!(both.href("/history"), "/history?verdict=failed,timed_out");
        assert_eq!(both.toggled("verdict", "failed").href("/"), "/?verdict=timed_out");
        assert_eq!(query.toggled("verdict", "failed").href("/"), "/");
    }

    #[test]
    fn a_parameter_that_no_page_knows_stays() {
        assert_eq!(PageQuery::of("odd=1&last=1h").href("/"), "/?last=1h&odd=1");
    }
}

//! Reads a whole list of EC2, page by page.
//!
//! A list ends at [`MAX_PAGES`]: then nothing is returned, because half a network would be judged wrongly.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::account::AwsAccount;
use crate::call::CallError;

/// Longest page that is read, in bytes. A page has up to 1000 entries, and a large security group 8 KiB.
const LONGEST_PAGE: usize = 16 * 1024 * 1024;
/// Most pages of a list. Ours: 20,000 entries are no network that tasks of one configuration use.
const MAX_PAGES: usize = 20;

/// A list in an answer of EC2.
#[derive(Debug, Deserialize)]
pub(super) struct Ec2Items<T> {
    /// The entries.
    #[serde(rename = "item", default = "Vec::new")]
    pub items: Vec<T>,
}

impl<T> Default for Ec2Items<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

/// The answer to one page of a list.
pub(super) trait Ec2ListAnswer: DeserializeOwned {
    /// One entry, as EC2 writes it.
    type Entry;
    /// The entries, and the token of the next page.
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>);
}

/// Which entries of a list are asked for: `Filter.1.Name`, `Filter.1.Value.1`, ...
pub(super) struct Ec2Filter<'a> {
    /// The filter's name.
    pub name: &'a str,
    /// The values, one of which must fit.
    pub values: &'a [String],
}

impl Ec2Filter<'_> {
    fn members(&self) -> Vec<(String, &str)> {
        let name = ("Filter.1.Name".to_owned(), self.name);
        let values = self.values.iter().enumerate();
        let values =
            values.map(|(at, value)| (format!("Filter.1.Value.{}", at + 1), value.as_str()));
        std::iter::once(name).chain(values).collect()
    }
}

impl AwsAccount {
    /// All entries of a list that pass the filter.
    pub(super) async fn ec2_list<A: Ec2ListAnswer>(
        &self,
        right: &'static str,
        filter: Ec2Filter<'_>,
    ) -> Result<Vec<A::Entry>, CallError> {
        self.ec2_pages::<A>(right, &filter.members()).await
    }

    /// All entries of a list that these parameters ask for. The operation is the part of `right` after the
    /// colon.
    pub(super) async fn ec2_pages<A: Ec2ListAnswer>(
        &self,
        right: &'static str,
        members: &[(String, &str)],
    ) -> Result<Vec<A::Entry>, CallError> {
        let mut entries = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut asked = members.to_vec();
            if let Some(token) = &token {
                asked.push(("NextToken".to_owned(), token));
            }
            let answer: A = self.ec2_answer(right, &asked).await?;
            let (page, next) = answer.into_page();
            entries.extend(page);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(entries),
                next => token = next,
            }
        }
        let text = format!("EC2 has more than {MAX_PAGES} pages for {right}");
        Err(self.of_ec2(right, CallError::Unreadable { text }))
    }

    /// One answer of EC2.
    pub(super) async fn ec2_answer<A: DeserializeOwned>(
        &self,
        right: &'static str,
        members: &[(String, &str)],
    ) -> Result<A, CallError> {
        let operation = right.split_once(':').map_or(right, |(_, operation)| operation);
        let body = self.ec2(operation, members, LONGEST_PAGE).await;
        body.and_then(|body| parsed(&body)).map_err(|error| self.of_ec2(right, error))
    }

    /// What becomes of entries that cannot be understood.
    pub(super) fn ec2_read<E, T>(
        &self,
        right: &'static str,
        entries: Vec<E>,
        read: impl Fn(E) -> Result<T, String>,
    ) -> Result<Vec<T>, CallError> {
        let read: Result<Vec<T>, String> = entries.into_iter().map(read).collect();
        read.map_err(|text| self.of_ec2(right, CallError::Unreadable { text }))
    }
}

/// An answer in XML.
pub(super) fn parsed<A: DeserializeOwned>(body: &str) -> Result<A, CallError> {
    quick_xml::de::from_str(body).map_err(|error| CallError::Unreadable {
        text: format!("EC2's answer is not as documented: {error}"),
    })
}

/// A value of an answer in the form that AWS documents for it.
pub(super) fn value_of<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, String> {
    let refused =
        |_| format!("EC2 gives {:?} as {what}", text.chars().take(60).collect::<String>());
    text.trim().parse().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_the_query_protocol_wants_it() {
        let values = ["subnet-1".to_owned(), "subnet-2".to_owned()];
        let filter = Ec2Filter { name: "subnet-id", values: &values };
        let members = filter.members();
        let form: Vec<String> =
            members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            form,
            ["Filter.1.Name=subnet-id", "Filter.1.Value.1=subnet-1", "Filter.1.Value.2=subnet-2"]
        );
    }

    #[test]
    fn a_value_in_another_form_is_quoted() {
        let read: Result<u32, String> = value_of("a number of addresses", "many");
        assert_eq!(read, Err("EC2 gives \"many\" as a number of addresses".to_owned()));
    }
}

//! How a request of a service that speaks REST names its operation: by its method and its path. Members
//! stand in the path and in the query as well as in the body.
//!
//! Source: the HTTP bindings of Smithy, which the models of the services use (`@http`, `@httpLabel`,
//! `@httpQuery`).

use axum::http::{Method, Uri};
use serde_json::{Map, Value, json};

/// The place of one operation.
pub(crate) struct RestRoute {
    pub method: &'static str,
    /// What follows the version, with a member's name in braces in the place of its value:
    /// `/file-systems/{FileSystemId}`.
    pub path: &'static str,
    /// The members of the query: name there, name of the member, type.
    pub query: &'static [(&'static str, &'static str, QueryMemberType)],
    /// The status of an answer without error.
    pub status: u16,
}

/// How a member of a query is read.
#[derive(Clone, Copy)]
pub(crate) enum QueryMemberType {
    Text,
    Integer,
    /// The name stands in the query once for each entry.
    List,
}

impl RestRoute {
    /// A place without members in the query, whose answers have status 200.
    pub const fn new(method: &'static str, path: &'static str) -> Self {
        Self { method, path, query: &[], status: 200 }
    }

    /// The same place with these members in the query.
    pub const fn with_query(
        self,
        query: &'static [(&'static str, &'static str, QueryMemberType)],
    ) -> Self {
        Self { query, ..self }
    }

    /// The same place, whose answers have this status.
    pub const fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The members in `path`, if the path is of this place.
    fn labels(&self, path: &str) -> Option<Map<String, Value>> {
        let (mut template, mut given) = (self.path.split('/'), path.split('/'));
        let mut labels = Map::new();
        loop {
            match (template.next(), given.next()) {
                (None, None) => return Some(labels),
                (Some(part), Some(value)) => {
                    let member = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
                    match member {
                        Some(_) if value.is_empty() => return None,
                        Some(member) => {
                            labels.insert(member.to_owned(), json!(decoded(value)));
                        }
                        None if part == value => {}
                        None => return None,
                    }
                }
                _ => return None,
            }
        }
    }

    fn members_of_query(&self, query: &str) -> Map<String, Value> {
        let mut members = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = self.query.iter().find(|(known, ..)| *known == name);
            let Some((_, member, kind)) = known else { continue };
            let value = match kind {
                QueryMemberType::Text => json!(value),
                // What is no number stays a text, which the operation refuses as a wrong type.
                QueryMemberType::Integer => value.parse::<i64>().map_or(json!(value), Value::from),
                QueryMemberType::List => {
                    let entries = members.entry(*member).or_insert_with(|| json!([]));
                    if let Some(entries) = entries.as_array_mut() {
                        entries.push(json!(value));
                    }
                    continue;
                }
            };
            members.insert((*member).to_owned(), value);
        }
        members
    }
}

/// The operation of a request by the places of all operations of a service; empty where no operation has its method and path, and the members of its path and
/// its query. `None` where the path does not begin with the version, so that it is of another service.
pub(crate) fn find<'a>(
    mut places: impl Iterator<Item = (&'static str, &'a RestRoute)>,
    version: &str,
    method: &Method,
    uri: &Uri,
) -> Option<(String, Map<String, Value>)> {
    let path = uri.path().strip_prefix('/')?.strip_prefix(version)?;
    if !path.starts_with('/') {
        return None;
    }
    let found = places.find_map(|(operation, route)| {
        let labels = (route.method == method.as_str()).then(|| route.labels(path));
        let mut members = labels.flatten()?;
        members.extend(route.members_of_query(uri.query().unwrap_or_default()));
        Some((operation.to_owned(), members))
    });
    Some(found.unwrap_or_default())
}

/// A part of a path without its percent signs. What is no text there becomes a replacement character, which no
/// id contains.
fn decoded(part: &str) -> String {
    // In a path, unlike in a query, a plus sign is itself.
    let escaped = part.replace('+', "%2B");
    let name = form_urlencoded::parse(escaped.as_bytes()).next().map(|(name, _)| name.into_owned());
    // An equals sign or an ampersand would end the name there; ids have neither.
    name.unwrap_or_default()
}

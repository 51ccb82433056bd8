//! Reads the members of a request of a query protocol: a form of names and values, lists as `Name.1`,
//! `Name.2`. It checks no names and no values.

use std::collections::BTreeMap;

/// The members of one request; a name that comes twice has its last value.
pub type FormFields = BTreeMap<String, String>;

/// Reads a form. Bytes that are no text are replaced; the service then refuses the value under its
/// name.
pub fn members(body: &[u8]) -> FormFields {
    form_urlencoded::parse(body).into_owned().collect()
}

/// The values of `NAME.1`, `NAME.2` and so on, in their order.
pub fn list(members: &FormFields, name: &str) -> Vec<String> {
    (1..).map_while(|number| members.get(&format!("{name}.{number}")).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded_and_lists_keep_their_order() {
        let body = b"Action=X&Id.1=a%2Fb&Id.2=c+d&Id.4=never&Empty&Odd=%zz%&%41=%C3%A4";
        let members = members(body);
        assert_eq!(list(&members, "Id"), ["a/b", "c d"]);
        assert_eq!(members["Odd"], "%zz%");
        assert_eq!((members["Empty"].as_str(), members["A"].as_str()), ("", "ä"));
        assert!(list(&members, "None").is_empty());
    }
}

//! Reads the members of a query-protocol request: a form of names and values, lists as `Name.1`,
//! `Name.2`. It checks nothing but the encoding, and that it is lenient.

use std::collections::BTreeMap;

/// The members of one request; a name that comes twice has its last value.
pub type FormFields = BTreeMap<String, String>;

/// Reads a form; what cannot be read as text is replaced, as a service that refuses it would say
/// so by its name.
pub fn members(body: &[u8]) -> FormFields {
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// The values of `NAME.1`, `NAME.2` and so on, in their order.
pub fn list(members: &FormFields, name: &str) -> Vec<String> {
    (1..).map_while(|number| members.get(&format!("{name}.{number}")).cloned()).collect()
}

/// Without percent signs and plus signs; a percent sign without two digits stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                hex::decode([*high, *low]).ok().and_then(|one| one.first().copied())
            }
            _ => None,
        };
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(match (escaped, first) {
            (Some(byte), _) => byte,
            (None, b'+') => b' ',
            (None, byte) => *byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

//! Changing one key of a TOML file.

use toml::{Table, Value};

/// Sets the key `dotted`; tables on the way to it are made.
///
/// # Panics
///
/// If a part of the key that should be a table is none.
pub fn set_key(mut table: &mut Table, dotted: &str, value: impl Into<Value>) {
    let (tables, key) = dotted.rsplit_once('.').unwrap_or(("", dotted));
    for name in tables.split('.').filter(|name| !name.is_empty()) {
        let entry = table.entry(name).or_insert_with(|| Table::new().into());
        table = entry.as_table_mut().expect("a table");
    }
    table.insert(key.to_owned(), value.into());
}

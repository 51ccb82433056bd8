//! A table for people: aligned, never wrapped. What does not fit loses whole columns first, then the
//! end of each line.

use std::borrow::Cow;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use console::measure_text_width;

use crate::size::cut;

/// Between two columns.
const GAP: u16 = 2;
/// Narrowest that the last column is cut to before another one is dropped.
const LEAST: usize = 12;

/// One column.
#[derive(Clone, Debug)]
pub struct TableColumn {
    head: Cow<'static, str>,
    drop_order: Option<u8>,
    is_number: bool,
    least: usize,
}

impl TableColumn {
    /// A column of text that is never dropped.
    #[must_use]
    pub const fn new(head: &'static str) -> Self {
        Self { head: Cow::Borrowed(head), drop_order: None, is_number: false, least: 0 }
    }

    /// The same with a head that is made while the program runs.
    #[must_use]
    pub fn headed(head: String) -> Self {
        Self { head: Cow::Owned(head), ..Self::new("") }
    }

    /// Where there is no room, the column with the lowest order goes first.
    #[must_use]
    pub const fn dropped(mut self, order: u8) -> Self {
        self.drop_order = Some(order);
        self
    }

    /// Its cells end at the right.
    #[must_use]
    pub const fn number(mut self) -> Self {
        self.is_number = true;
        self
    }

    /// It is at least as wide as this, so that a table that is written again does not move.
    #[must_use]
    pub const fn at_least(mut self, width: usize) -> Self {
        self.least = width;
        self
    }
}

/// Head and rows, one line each, none wider than `width`; no width is no limit. Each row has a cell
/// for each column, in one line of plain text.
#[must_use]
pub fn table_lines(
    columns: &[TableColumn],
    rows: &[Vec<String>],
    width: Option<usize>,
) -> Vec<String> {
    let width = width.unwrap_or(usize::MAX);
    let widths: Vec<usize> = (0..columns.len()).map(|at| widest(columns, rows, at)).collect();
    let kept = columns_that_fit(columns, &widths, width);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(kept.iter().map(|at| columns[*at].head.as_ref()));
    for row in rows {
        table.add_row(kept.iter().map(|at| row.get(*at).map_or("", String::as_str)));
    }
    for (at, column) in kept.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, GAP));
        // The library counts the padding as a part of the width.
        let wide = u16::try_from(widths[*at]).unwrap_or(u16::MAX - GAP).saturating_add(GAP);
        column.set_constraint(ColumnConstraint::Absolute(comfy_table::Width::Fixed(wide)));
        if columns[*at].is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| cut(&line, width)).collect()
}

fn widest(columns: &[TableColumn], rows: &[Vec<String>], at: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| measure_text_width(cell));
    let own = [measure_text_width(&columns[at].head), columns[at].least];
    // A column of no width at all is none to the library.
    cells.chain(own).max().unwrap_or(0).max(1)
}

/// The indices of the columns for which there is room.
fn columns_that_fit(columns: &[TableColumn], widths: &[usize], width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    loop {
        let last = kept.last().copied();
        let needed =
            |at: &usize| if Some(*at) == last { LEAST.min(widths[*at]) } else { widths[*at] };
        let gaps = usize::from(GAP) * kept.len().saturating_sub(1);
        let all = kept.iter().map(needed).sum::<usize>() + gaps;
        let next = kept.iter().copied().filter(|at| columns[*at].drop_order.is_some());
        match next.min_by_key(|at| columns[*at].drop_order) {
            Some(at) if all > width => kept.retain(|kept| *kept != at),
            _ => return kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<usize>) -> String {
        let columns = [
            TableColumn::new("TASK"),
            TableColumn::new("AGE").dropped(1).number(),
            TableColumn::new("WHERE").dropped(0),
            TableColumn::new("WHY"),
        ];
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["5a7c1e90", "2h 05m", "ci, eu-west-1", "its deadline is over"]),
            row(["-", "4 s", "ci", "its job was cleaned up"]),
        ];
        table_lines(&columns, &rows, width).join("\n")
    }

    #[test]
    fn a_table_never_wraps() {
        insta::assert_snapshot!(shown(None), @r"
        TASK         AGE  WHERE          WHY
        5a7c1e90  2h 05m  ci, eu-west-1  its deadline is over
        -            4 s  ci             its job was cleaned up
        ");
        insta::assert_snapshot!(shown(Some(38)), @r"
        TASK         AGE  WHY
        5a7c1e90  2h 05m  its deadline is over
        -            4 s  its job was clean...
        ");
        insta::assert_snapshot!(shown(Some(24)), @r"
        TASK      WHY
        5a7c1e90  its deadlin...
        -         its job was...
        ");
        for width in 0..100 {
            assert!(shown(Some(width)).lines().all(|line| measure_text_width(line) <= width));
        }
    }

    #[test]
    fn wide_characters_count_twice_and_empty_columns_keep_their_place() {
        let columns = [TableColumn::new("A"), TableColumn::new(""), TableColumn::new("C")];
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table_lines(&columns, &[row(["漢字", "", "x"]), row(["ab", "", "y"])], None);
        assert_eq!(lines, ["A        C", "漢字     x", "ab       y"]);
    }
}

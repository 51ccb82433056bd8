//! A table for a terminal: aligned, never wrapped. What does not fit loses whole columns first, then
//! the end of its last one.

use fargate_model::text::escape;

/// Between two columns.
const GAP: &str = "  ";
/// Narrowest that the last column is cut to before another one is dropped.
const LEAST: usize = 12;

/// One column.
pub struct TableColumn {
    /// Its head.
    pub head: &'static str,
    /// Which one goes first where there is no room; those without a number stay.
    pub drop: Option<u8>,
}

/// The width of the terminal on stdout; none where there is no terminal.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Head and rows, one line each. Each row has a cell for each column.
pub fn lines(columns: &[TableColumn], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    let widest = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([columns[at].head.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let kept = kept(columns, &widths, width);
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    std::iter::once(&heads).chain(&rows).map(|row| line(row, &kept, &widths, width)).collect()
}

/// The indices of the columns for which there is room.
fn kept(columns: &[TableColumn], widths: &[usize], width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    loop {
        let last = kept.last().copied();
        let needed =
            |at: &usize| if Some(*at) == last { LEAST.min(widths[*at]) } else { widths[*at] };
        let all = kept.iter().map(needed).sum::<usize>() + GAP.len() * kept.len().saturating_sub(1);
        let next = kept.iter().copied().filter(|at| columns[*at].drop.is_some());
        match next.min_by_key(|at| columns[*at].drop) {
            Some(at) if all > width => kept.retain(|kept| *kept != at),
            _ => return kept,
        }
    }
}

fn line(row: &[String], kept: &[usize], widths: &[usize], width: usize) -> String {
    let cells = kept.iter().map(|at| {
        let cell = row.get(*at).map_or("", String::as_str);
        format!("{cell:<0$}", widths[*at])
    });
    let text = cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned();
    if text.chars().count() <= width {
        return text;
    }
    let cut: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{}...", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize) -> String {
        let columns = [
            TableColumn { head: "TASK", drop: None },
            TableColumn { head: "AGE", drop: Some(1) },
            TableColumn { head: "WHERE", drop: Some(0) },
            TableColumn { head: "WHY", drop: None },
        ];
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["5a7c1e90", "2h 05m", "ci, eu-west-1", "its deadline is over"]),
            row(["-", "4 s", "ci\x1b[2J", "its job was cleaned up"]),
        ];
        lines(&columns, &rows, width).join("\n")
    }

    #[test]
    fn a_table_never_wraps() {
        insta::assert_snapshot!(shown(80), @r"
        TASK      AGE     WHERE          WHY
        5a7c1e90  2h 05m  ci, eu-west-1  its deadline is over
        -         4 s     ci\x1b[2J      its job was cleaned up
        ");
        insta::assert_snapshot!(shown(38), @r"
        TASK      AGE     WHY
        5a7c1e90  2h 05m  its deadline is over
        -         4 s     its job was clean...
        ");
        insta::assert_snapshot!(shown(24), @r"
        TASK      WHY
        5a7c1e90  its deadlin...
        -         its job was...
        ");
        for width in 0..100 {
            assert!(shown(width).lines().all(|line| line.chars().count() <= width.max(3)));
        }
    }
}

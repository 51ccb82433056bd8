//! A list that a person walks through: which row is chosen, what is filtered, what is asked or shown in its place, and
//! which lines the screen gets. It neither reads keys nor draws, and does not know what a row is about.

use crate::list_key::ListKey;
use crate::size::{TerminalSize, cut};

/// Before the chosen row, and before all others.
const CHOSEN: &str = "* ";
const OTHER: &str = "  ";
/// Columns that stand before each row.
pub const LIST_GUTTER: usize = CHOSEN.len();
/// Longest filter, in characters.
const LONGEST_FILTER: usize = 80;
/// Behind each question; the capital letter is what every other key means.
const ANSWERS: &str = " [y/N]";
const KEYS: &str = "q quit  up/down choose  Enter why  / filter  s stop  p pause updates  ? keys";
const FEW_KEYS: &str = "q quit  ? keys";
const HELP: [&str; 9] = [
    "q        quit",
    "up k     choose the row above",
    "down j   choose the row below",
    "Enter w  why the chosen job waits or failed",
    "/        show only rows that have these words; Enter keeps them, Esc shows all rows",
    "s        stop the task of the chosen row; it asks first",
    "p        pause updates, or go on",
    "Esc      go back; clear the filter; clear the choice",
    "?        this list",
];

/// What the person wants that only the caller can do. The text is the id of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListRequest {
    /// To draw it again.
    Draw,
    /// To end.
    Quit,
    /// To read why this row is where it is.
    Why(String),
    /// To be asked whether what this row shows is to be stopped.
    AskStop(String),
    /// To stop it: the person said yes.
    Stop(String),
}

#[derive(Clone, Debug, Default)]
enum ListMode {
    #[default]
    Rows,
    /// The filter is being typed.
    Filter,
    /// This text, from this line on.
    Text(Vec<String>, usize),
    /// A question about a row.
    Question { id: String, words: String },
}

/// The view. A new one shows all rows, with none chosen.
#[derive(Clone, Debug, Default)]
pub struct ListView {
    mode: ListMode,
    chosen: Option<String>,
    filter: String,
    is_paused: bool,
    /// What became of the last request, until the next key that the rows get.
    note: Option<String>,
}

impl ListView {
    /// Takes in a key. `ids` are those of the rows that are shown now, in order.
    pub fn press(&mut self, key: ListKey, ids: &[String]) -> ListRequest {
        // A note that came while a text or a question stood there was not read yet.
        if matches!(self.mode, ListMode::Rows) {
            self.note = None;
        }
        if key == ListKey::Interrupt {
            return ListRequest::Quit;
        }
        match std::mem::take(&mut self.mode) {
            ListMode::Rows => self.press_in_rows(key, ids),
            ListMode::Filter => self.press_in_filter(key),
            ListMode::Text(lines, first) => self.press_in_text(key, lines, first),
            ListMode::Question { id, .. } => match key {
                ListKey::Character('y' | 'Y') => ListRequest::Stop(id),
                _ => self.noted("nothing was stopped"),
            },
        }
    }

    fn press_in_rows(&mut self, key: ListKey, ids: &[String]) -> ListRequest {
        let chosen = self.chosen.clone().filter(|chosen| ids.contains(chosen));
        match (key, chosen) {
            (ListKey::Character('q'), _) => return ListRequest::Quit,
            (ListKey::Up | ListKey::Character('k'), _) => self.choose(ids, false),
            (ListKey::Down | ListKey::Character('j'), _) => self.choose(ids, true),
            (ListKey::Enter | ListKey::Character('w'), Some(id)) => return ListRequest::Why(id),
            (ListKey::Character('s'), Some(id)) => return ListRequest::AskStop(id),
            (ListKey::Enter | ListKey::Character('w' | 's'), None) => {
                return self.noted("choose a row first: up or down");
            }
            (ListKey::Character('/'), _) => self.mode = ListMode::Filter,
            (ListKey::Character('p'), _) => self.is_paused = !self.is_paused,
            (ListKey::Character('?'), _) => self.show(HELP.map(str::to_owned).to_vec()),
            (ListKey::Escape, _) if !self.filter.is_empty() => self.filter.clear(),
            (ListKey::Escape, _) => self.chosen = None,
            _ => {}
        }
        ListRequest::Draw
    }

    fn press_in_filter(&mut self, key: ListKey) -> ListRequest {
        match key {
            ListKey::Enter => return ListRequest::Draw,
            ListKey::Escape => {
                self.filter.clear();
                return ListRequest::Draw;
            }
            ListKey::Backspace => drop(self.filter.pop()),
            ListKey::Character(c) if self.filter.chars().count() < LONGEST_FILTER => {
                self.filter.push(c);
            }
            _ => {}
        }
        self.mode = ListMode::Filter;
        ListRequest::Draw
    }

    fn press_in_text(&mut self, key: ListKey, lines: Vec<String>, first: usize) -> ListRequest {
        let last = lines.len().saturating_sub(1);
        let first = match key {
            ListKey::Down | ListKey::Character('j') => (first + 1).min(last),
            ListKey::Up | ListKey::Character('k') => first.saturating_sub(1),
            // Each other key goes back to the rows.
            _ => return ListRequest::Draw,
        };
        self.mode = ListMode::Text(lines, first);
        ListRequest::Draw
    }

    fn choose(&mut self, ids: &[String], below: bool) {
        let now = self.chosen.as_ref().and_then(|chosen| ids.iter().position(|id| id == chosen));
        let next = match now {
            Some(now) if below => (now + 1).min(ids.len().saturating_sub(1)),
            Some(now) => now.saturating_sub(1),
            None => 0,
        };
        self.chosen = ids.get(next).cloned();
    }

    fn noted(&mut self, words: &str) -> ListRequest {
        self.note = Some(words.to_owned());
        ListRequest::Draw
    }

    /// Shows a text in the place of the rows, until a key goes back.
    pub fn show(&mut self, lines: Vec<String>) {
        self.mode = ListMode::Text(lines, 0);
    }

    /// Asks about a row; `y` answers [`ListRequest::Stop`], and each other key means no.
    pub fn ask(&mut self, id: String, words: String) {
        self.mode = ListMode::Question { id, words };
    }

    /// Tells something in the last line, until the next key that the rows get: behind a text or a question it waits.
    pub fn tell(&mut self, words: String) {
        self.note = Some(words);
    }

    /// Whether the rows are to stay as they are.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether a row with this text is shown: it has each word of the filter, in whatever case.
    #[must_use]
    pub fn keeps(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.filter.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }

    /// The lines of the screen: what stands above, then the rows that have room, then the keys. `table` is the head of
    /// the table and one line for each of `ids`; both are as [`ListView::keeps`] chose them.
    #[must_use]
    pub fn lines(
        &self,
        above: &[String],
        (table, ids): (&[String], &[String]),
        size: TerminalSize,
    ) -> Vec<String> {
        let mut lines = above.to_vec();
        // The last line is that of the keys.
        let room = size.rows.saturating_sub(lines.len() + 1).max(1);
        match &self.mode {
            ListMode::Text(text, first) => {
                lines.extend(text.iter().skip(*first).take(room).cloned());
            }
            _ => lines.extend(self.rows((table, ids), room)),
        }
        lines.truncate(size.rows.saturating_sub(1));
        lines.push(self.last_line(size.columns));
        lines
    }

    fn rows(&self, (table, ids): (&[String], &[String]), room: usize) -> Vec<String> {
        let Some((head, rows)) = table.split_first() else {
            return if self.filter.is_empty() { Vec::new() } else { vec![self.none_fits()] };
        };
        let chosen = self.chosen.as_ref().and_then(|chosen| ids.iter().position(|id| id == chosen));
        let has_all = rows.len() < room;
        // A line says how many there is no room for.
        let shown = if has_all { rows.len() } else { room.saturating_sub(2).max(1) };
        let first = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(shown));
        let mut lines = vec![format!("{OTHER}{head}")];
        for (n, row) in rows.iter().enumerate().skip(first).take(shown) {
            let gutter = if chosen == Some(n) { CHOSEN } else { OTHER };
            lines.push(format!("{gutter}{row}"));
        }
        let more = rows.len().saturating_sub(shown);
        if more > 0 {
            lines.push(format!("{OTHER}+ {more} more"));
        }
        lines
    }

    fn none_fits(&self) -> String {
        format!("no row has the words {:?}; Esc shows all", self.filter)
    }

    fn last_line(&self, columns: usize) -> String {
        let line = match (&self.mode, &self.note) {
            // A narrow terminal cuts the words, never what may be answered.
            (ListMode::Question { words, .. }, _) => {
                format!("{}{ANSWERS}", cut(words, columns.saturating_sub(ANSWERS.len())))
            }
            (ListMode::Filter, _) => format!("filter: {}_", self.filter),
            (ListMode::Text(..), _) => "Esc back".to_owned(),
            (ListMode::Rows, Some(note)) => note.clone(),
            (ListMode::Rows, None) => {
                let paused = if self.is_paused { "updates are paused  " } else { "" };
                let filter = match self.filter.as_str() {
                    "" => String::new(),
                    filter => format!("filter: {filter}  "),
                };
                let all = format!("{paused}{filter}{KEYS}");
                let is_wide = all.chars().count() <= columns;
                if is_wide { all } else { format!("{paused}{filter}{FEW_KEYS}") }
            }
        };
        cut(&line, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ListKey::{Backspace, Character, Down, Enter, Escape, Interrupt, Up};

    const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 6 };

    struct ShownList {
        view: ListView,
        ids: Vec<String>,
    }

    impl ShownList {
        fn of(names: &[&str]) -> Self {
            let ids = names.iter().map(|name| (*name).to_owned()).collect();
            Self { view: ListView::default(), ids }
        }

        fn press(&mut self, keys: &[ListKey]) -> ListRequest {
            let ids = self.kept();
            let pressed = keys.iter().map(|key| self.view.press(*key, &ids));
            pressed.last().expect("a key")
        }

        fn kept(&self) -> Vec<String> {
            self.ids.iter().filter(|id| self.view.keeps(id)).cloned().collect()
        }

        fn screen(&self) -> String {
            let ids = self.kept();
            let rows = ids.iter().map(|id| format!("row {id}"));
            let table: Vec<String> = std::iter::once("HEAD".to_owned()).chain(rows).collect();
            self.view.lines(&["host ci-1".to_owned()], (&table, &ids), SIZE).join("\n")
        }
    }

    #[test]
    fn a_row_is_chosen_and_asked_about() {
        let mut list = ShownList::of(&["a", "b", "c"]);
        assert_eq!(list.press(&[Enter]), ListRequest::Draw);
        assert!(list.screen().ends_with("choose a row first: up or down"), "{}", list.screen());
        assert_eq!(list.press(&[Down, Down, Enter]), ListRequest::Why("b".to_owned()));
        assert!(list.screen().contains("\n* row b\n"), "{}", list.screen());
        assert_eq!(list.press(&[Character('s')]), ListRequest::AskStop("b".to_owned()));
        list.view.ask("b".to_owned(), "stop b?".to_owned());
        assert!(list.screen().ends_with("stop b? [y/N]"));
        assert_eq!(list.press(&[Enter]), ListRequest::Draw, "no is the default");
        assert!(list.screen().ends_with("nothing was stopped"));
        list.view.ask("b".to_owned(), "stop b?".to_owned());
        assert_eq!(list.press(&[Character('y')]), ListRequest::Stop("b".to_owned()));
        assert_eq!(list.press(&[Character('q')]), ListRequest::Quit);
        assert_eq!(list.press(&[Interrupt]), ListRequest::Quit);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_question_and_keeps_its_answers() {
        let mut list = ShownList::of(&["a"]);
        list.view.ask("a".to_owned(), "stop task 0123456789 of unit?".to_owned());
        let last = |columns| {
            let size = TerminalSize { columns, rows: 4 };
            list.view.lines(&[], (&[], &[]), size).pop().expect("a last line")
        };
        assert_eq!(last(80), "stop task 0123456789 of unit? [y/N]");
        assert_eq!(last(20), "stop task 0... [y/N]");
        assert_eq!(last(6), " [y/N]");
    }

    #[test]
    fn a_note_behind_a_text_is_shown_once_the_text_is_gone() {
        let mut list = ShownList::of(&["a"]);
        list.press(&[Character('?')]);
        list.view.tell("stopping task a: no answer".to_owned());
        assert!(list.screen().ends_with("Esc back"), "{}", list.screen());
        list.press(&[Escape]);
        assert!(list.screen().ends_with("stopping task a: no answer"), "{}", list.screen());
        list.press(&[Down]);
        assert!(!list.screen().contains("no answer"), "{}", list.screen());
    }

    #[test]
    fn a_filter_hides_rows_until_it_is_forgotten() {
        let mut list = ShownList::of(&["unit acme", "lint acme", "docs other"]);
        list.press(&[Character('/'), Character('A'), Character('q'), Backspace, Character('c')]);
        assert!(list.screen().ends_with("filter: Ac_"), "{}", list.screen());
        // Letters that are keys elsewhere are letters here.
        assert_eq!(list.press(&[Enter]), ListRequest::Draw);
        assert_eq!(list.kept(), ["unit acme", "lint acme"]);
        list.press(&[Down, Down, Down]);
        assert!(list.screen().contains("* row lint acme"), "{}", list.screen());
        list.press(&[Escape]);
        assert_eq!(list.kept().len(), 3);
        list.press(&[Character('/'), Character('x'), Character('y'), Character('z'), Enter]);
        let nothing = list.view.lines(&[], (&[], &[]), SIZE);
        assert_eq!(nothing[0], "no row has the words \"xyz\"; Esc shows all");
    }

    #[test]
    fn rows_without_room_are_counted_and_the_chosen_one_is_seen() {
        let mut list = ShownList::of(&["a", "b", "c", "d", "e"]);
        assert_eq!(
            list.screen(),
            "host ci-1\n  HEAD\n  row a\n  row b\n  + 3 more\n\
             q quit  up/down choose  Enter why  / filter  s stop  p pause updates  ? keys"
        );
        list.press(&[Down, Down, Down, Down]);
        assert!(list.screen().contains("  row c\n* row d\n  + 3 more"), "{}", list.screen());
        list.press(&[Up, Up, Up]);
        assert!(list.screen().contains("* row a\n  row b\n"), "{}", list.screen());
    }

    #[test]
    fn a_text_takes_the_place_of_the_rows_until_a_key_goes_back() {
        let mut list = ShownList::of(&["a"]);
        list.press(&[Character('?')]);
        assert!(list.screen().contains("q        quit") && list.screen().ends_with("Esc back"));
        list.press(&[Down]);
        assert!(!list.screen().contains("q        quit"), "{}", list.screen());
        list.press(&[Escape]);
        assert!(list.screen().contains("row a"));
        list.press(&[Character('p')]);
        assert!(list.view.is_paused() && list.screen().contains("updates are paused"));
        let narrow = list.view.lines(&[], (&[], &[]), TerminalSize { columns: 40, rows: 4 });
        assert_eq!(narrow.last().unwrap(), "updates are paused  q quit  ? keys");
    }
}

//! Tables for people: no rules, as wide as the terminal, colours on states.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use crate::{format, output};

/// A table with these headings.
pub(crate) fn new(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !output::is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(headings.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The text of a table, without white space at the ends of lines.
pub(crate) fn text(table: &Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// How a state looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// All is well.
    Good,
    /// It may become well.
    Waiting,
    /// It is not well.
    Bad,
    /// It is over.
    Over,
}

/// A cell that shows a state.
pub(crate) fn state(text: impl Into<String>, mood: Mood) -> Cell {
    let cell = Cell::new(text.into());
    if !output::has_colours() {
        return cell;
    }
    match mood {
        Mood::Good => cell.fg(Color::Green),
        Mood::Waiting => cell.fg(Color::Yellow),
        Mood::Bad => cell.fg(Color::Red),
        Mood::Over => cell.fg(Color::DarkGrey),
    }
}

/// An id: cut short on a terminal, whole for programs.
pub(crate) fn id(id: &str) -> Cell {
    Cell::new(if output::is_terminal() {
        format::short_id(id)
    } else {
        id.to_owned()
    })
}

/// Names and what belongs to them, a line each.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}

//! How a view reads: lines of text, as wide as there is room, for a terminal or a pipe.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::view::{NodeView, ProcessView, Sort, View};
use crate::format::{CUT, NOTHING};

/// Units of amounts, each 1000 times the one before.
const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];
/// Columns between two columns of the table.
const GAP: usize = 2;
/// Columns an id and a kind get at least, however narrow the terminal is.
const TEXT_MIN: usize = 8;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Heading,
    Faint,
    Bad,
}

/// A line of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) look: Look,
    pub(super) text: String,
}

impl Line {
    pub(super) fn new(look: Look, text: impl Into<String>) -> Line {
        let text = text.into();
        Line { look, text }
    }
}

/// A table for a pipe, or for a terminal once: nothing is cut.
pub(crate) fn report(view: &View, name: &str, sort: Sort) -> String {
    let mut lines = node_lines(&view.node, name);
    lines.extend(table(&view.processes, sort, usize::MAX));
    let lines: Vec<&str> = lines.iter().map(|line| line.text.trim_end()).collect();
    lines.join("\n")
}

/// The node in two lines.
pub(super) fn node_lines(node: &NodeView, name: &str) -> Vec<Line> {
    let NodeView {
        processes,
        workers,
        peers_connected,
        ..
    } = node;
    let uptime = age(node.uptime_s as u64);
    let memory = node.memory_resident_bytes;
    let memory = memory.map_or(NOTHING.to_owned(), |bytes| amount(bytes as f64));
    let first = format!(
        "{name}  up {uptime}  {processes} processes  {workers} workers {} busy  {memory}B resident",
        percent(node.busy_ratio)
    );
    let second = format!(
        "{} letters/s  {} dead/s  {}B/s in  {}B/s out  {peers_connected} peers",
        rate(node.letters_per_s),
        rate(node.dead_letters_per_s),
        rate(node.bytes_received_per_s),
        rate(node.bytes_sent_per_s),
    );
    let dying = node.dead_letters_per_s.is_some_and(|dead| dead > 0.0);
    let look = if dying { Look::Bad } else { Look::Plain };
    vec![
        Line::new(Look::Plain, first),
        Line::new(look, second),
        Line::new(Look::Plain, ""),
    ]
}

/// The heading and a line for each process, `width` columns wide at most.
pub(super) fn table(processes: &[ProcessView], sort: Sort, width: usize) -> Vec<Line> {
    let mark = |name: &str, of: Sort| {
        let mark = if of == sort { "▼" } else { "" };
        format!("{name}{mark}")
    };
    let heading = [
        "ID".to_owned(),
        "KIND".to_owned(),
        "STATE".to_owned(),
        mark("BUSY", Sort::Busy),
        mark("HANDLED/S", Sort::Handled),
        "HANDLED".to_owned(),
        mark("MAILBOX", Sort::Mailbox),
        "LINKS".to_owned(),
        "WATCHERS".to_owned(),
        "AGE".to_owned(),
    ];
    let rows: Vec<[String; 10]> = processes.iter().map(cells).collect();
    let wide = |column: usize| {
        let cells = rows.iter().chain([&heading]).map(|row| row[column].width());
        cells.max().unwrap_or(0)
    };
    let mut widths: [usize; 10] = std::array::from_fn(wide);
    shrink(&mut widths, width);
    let line = |row: &[String; 10]| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cell = cut(cell, widths[column]);
            let room = " ".repeat(widths[column].saturating_sub(cell.width()));
            // Texts stand to the left, numbers to the right.
            line.push_str(&if column < 3 {
                cell + &room
            } else {
                room + &cell
            });
            if column + 1 < row.len() {
                line.push_str(&" ".repeat(GAP));
            }
        }
        cut(&line, width)
    };
    let full = |process: &ProcessView| process.mailbox >= process.capacity;
    let looks = processes.iter().map(|process| match process {
        process if full(process) => Look::Bad,
        _ => Look::Plain,
    });
    let heading = Line::new(Look::Heading, line(&heading));
    let rows = looks
        .zip(&rows)
        .map(|(look, row)| Line::new(look, line(row)));
    std::iter::once(heading).chain(rows).collect()
}

fn cells(process: &ProcessView) -> [String; 10] {
    let kind = process.kind.rsplit("::").next().unwrap_or(&process.kind);
    [
        process.id.clone(),
        kind.to_owned(),
        process.state.clone(),
        percent(process.busy_ratio),
        rate(process.handled_per_s),
        amount(process.handled as f64),
        amount(process.mailbox as f64),
        process
            .links
            .map_or(NOTHING.to_owned(), |links| links.to_string()),
        process.watchers.to_string(),
        age(process.age_s),
    ]
}

/// Takes from the kind, then from the id, what the table is too wide.
fn shrink(widths: &mut [usize; 10], width: usize) {
    for column in [1, 0] {
        let whole: usize = widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
        let over = whole.saturating_sub(width);
        widths[column] = widths[column]
            .saturating_sub(over)
            .max(TEXT_MIN.min(widths[column]));
    }
}

/// A text of so many columns at most.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut short, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > width {
            break;
        }
        short.push(c);
    }
    if width > 0 {
        short.push(CUT);
    }
    short
}

/// `1234` is `1234`, `12345` is `12.3k`.
fn amount(number: f64) -> String {
    let (mut number, mut unit) = (number, 0);
    if number >= 1e4 {
        while number >= 999.5 && unit + 1 < UNITS.len() {
            number /= 1e3;
            unit += 1;
        }
    }
    let digits = usize::from(number < 100.0 && number.fract() >= 0.05);
    format!("{number:.digits$}{}", UNITS[unit])
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or(NOTHING.to_owned(), amount)
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or(NOTHING.to_owned(), |ratio| format!("{:.1}%", ratio * 100.0))
}

/// `59s`, `3m`, `5h`, `2d`.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::view::measured;
    use crate::top::view::tests::looks;

    fn view(sort: Sort) -> View {
        let [before, now] = looks();
        measured(&before, &now, sort)
    }

    #[test]
    fn a_report_says_everything_in_columns() {
        let text = report(&view(Sort::Handled), "box:5050", Sort::Handled);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "box:5050  up 1m  3 processes  2 workers 25.0% busy  -B resident"
        );
        assert_eq!(
            lines[1],
            "500 letters/s  1 dead/s  -B/s in  -B/s out  0 peers"
        );
        let words: Vec<&str> = lines[3].split_whitespace().collect();
        assert_eq!(words[3..6], ["BUSY", "HANDLED/S▼", "HANDLED"]);
        let words: Vec<&str> = lines[4].split_whitespace().collect();
        assert_eq!(
            words,
            [
                "b", "Shop", "idle", "5.0%", "50", "110", "0", "1", "2", "1m"
            ]
        );
        assert_eq!(lines[6].split_whitespace().nth(4), Some("-"), "{text}");
    }

    #[test]
    fn a_table_is_never_wider_than_its_terminal() {
        let mut view = view(Sort::Busy);
        view.processes[0].id =
            "an-id-that-is-longer-than-the-terminal-is-wide-例例例例例例例例例".into();
        view.processes[1].mailbox = 100;
        for width in [0, 1, 5, 20, 60, 80, 100, 200] {
            for line in table(&view.processes, Sort::Busy, width) {
                assert!(line.text.width() <= width, "{width}: {}", line.text);
            }
        }
        let lines = table(&view.processes, Sort::Busy, 90);
        assert!(
            lines[1].text.contains('…') && lines[1].text.ends_with("1m"),
            "{}",
            lines[1].text
        );
        let looks: Vec<Look> = lines.iter().map(|line| line.look).collect();
        assert_eq!(looks, [Look::Heading, Look::Plain, Look::Bad, Look::Plain]);
    }

    #[test]
    fn amounts_are_short() {
        let amounts = [
            0.0,
            0.25,
            9.96,
            1234.4,
            12_345.0,
            999_999.0,
            1_500_000.0,
            1e20,
        ];
        let expected = [
            "0",
            "0.2",
            "10.0",
            "1234",
            "12.3k",
            "1.0M",
            "1.5M",
            "100000000T",
        ];
        for (amount, expected) in amounts.map(super::amount).iter().zip(expected) {
            assert_eq!(amount, expected);
        }
    }
}

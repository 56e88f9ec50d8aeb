//! Latencies by percentile, drawn: the further right, the rarer; each step right is a tenth.

use svg::Document;
use svg::node::element::{Group, Line, Polyline, Rectangle, Text};

use super::page::time;
use super::reading::Row;

/// Size of the picture, in units of its own.
const WIDTH: f64 = 960.0;
/// See [`WIDTH`].
const HEIGHT: f64 = 560.0;
/// Room left of, above, right of and below the curves, for scales and names.
const MARGIN: (f64, f64, f64, f64) = (80.0, 56.0, 250.0, 60.0);
/// The rarest percentile drawn: one operation in a million.
const DECADES_MAX: u32 = 6;
/// Points a curve has in each tenth.
const STEPS: u32 = 40;
/// Colours that can be told apart, also by those who see few (Okabe and Ito).
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31",
];
/// Dashes of the curves after each use of all colours.
const DASHES: [&str; 3] = ["none", "7 4", "2 3"];

/// Where things lie in the picture.
struct Frame {
    decades: u32,
    low: f64,
    high: f64,
}

impl Frame {
    /// Where the share `quantile` lies from left to right.
    fn x(&self, quantile: f64) -> f64 {
        let rarity = -(1.0 - quantile).max(1e-12).log10();
        let width = WIDTH - MARGIN.0 - MARGIN.2;
        MARGIN.0 + width * (rarity / f64::from(self.decades)).min(1.0)
    }

    /// Where so many nanoseconds lie from top to bottom.
    fn y(&self, nanoseconds: f64) -> f64 {
        let height = HEIGHT - MARGIN.1 - MARGIN.3;
        let share = (nanoseconds.max(1.0).log10() - self.low) / (self.high - self.low);
        MARGIN.1 + height * (1.0 - share)
    }
}

/// A picture of all rows that have latencies, as SVG; none when no row has.
#[must_use]
pub fn percentiles(title: &str, rows: &[Row]) -> Option<String> {
    let mut curves = Vec::new();
    for row in rows {
        if let Some(latency) = row.latency.as_ref().filter(|latency| latency.count() > 1) {
            curves.push((row, latency));
        }
    }
    // No curve goes further than its own operations can tell.
    let decades = |count: u64| count.ilog10().clamp(1, DECADES_MAX);
    let count = curves.iter().map(|(_, latency)| latency.count()).max()?;
    let least = curves.iter().map(|(_, latency)| latency.at(0.0)).min()?;
    let most = curves.iter().map(|(_, latency)| latency.at(1.0)).max()?;
    let low = (least.max(1) as f64).log10().floor();
    let frame = Frame {
        decades: decades(count),
        low,
        high: (most.max(1) as f64).log10().ceil().max(low + 1.0),
    };
    let mut picture = Document::new()
        .set("viewBox", (0, 0, WIDTH as i32, HEIGHT as i32))
        .set("font-family", "Helvetica, Arial, sans-serif")
        .set("font-size", 13)
        .add(rectangle("white", 0.0, 0.0, WIDTH, HEIGHT))
        .add(
            label(
                MARGIN.0,
                28.0,
                "start",
                &format!("tepui bench {title}: latency by percentile"),
            )
            .set("font-size", 17),
        )
        .add(scales(&frame));
    for (place, (row, latency)) in curves.into_iter().enumerate() {
        let reach = decades(latency.count());
        let mut points = String::new();
        for step in 0..=reach * STEPS {
            let quantile = 1.0 - 10f64.powf(-f64::from(step) / f64::from(STEPS));
            let (x, y) = (frame.x(quantile), frame.y(latency.at(quantile) as f64));
            points.push_str(&format!("{x:.1},{y:.1} "));
        }
        let colour = COLOURS[place % COLOURS.len()];
        let dashes = DASHES[place / COLOURS.len() % DASHES.len()];
        let curve = Polyline::new()
            .set("points", points.trim_end())
            .set("fill", "none")
            .set("stroke", colour)
            .set("stroke-width", 2)
            .set("stroke-dasharray", dashes);
        let (x, y) = (
            WIDTH - MARGIN.2 + 16.0,
            MARGIN.1 + 8.0 + 20.0 * place as f64,
        );
        let name = format!("{} {}, {} arb.", row.by, row.name, row.arbiters);
        let key = line(x, y, x + 24.0, y, colour)
            .set("stroke-width", 2)
            .set("stroke-dasharray", dashes);
        picture = picture
            .add(curve)
            .add(key)
            .add(label(x + 32.0, y + 4.0, "start", &name));
    }
    Some(picture.to_string())
}

/// The grid, and what its lines stand for.
fn scales(frame: &Frame) -> Group {
    let (right, foot) = (WIDTH - MARGIN.2, HEIGHT - MARGIN.3);
    let mut group = Group::new();
    for decade in 0..=frame.decades {
        let quantile = 1.0 - 10f64.powi(-(decade as i32));
        let x = frame.x(quantile);
        let name = match decade {
            0 => "0 %".to_owned(),
            1 => "90 %".to_owned(),
            more => format!("{:.*} %", more as usize - 2, quantile * 100.0),
        };
        group = group.add(line(x, MARGIN.1, x, foot, "#dddddd")).add(label(
            x,
            foot + 20.0,
            "middle",
            &name,
        ));
    }
    let half = frame.x(0.5);
    group = group
        .add(line(half, MARGIN.1, half, foot, "#eeeeee"))
        .add(label(half, foot + 20.0, "middle", "50 %"));
    for power in frame.low as i32..=frame.high as i32 {
        let value = 10f64.powi(power);
        let y = frame.y(value);
        group = group.add(line(MARGIN.0, y, right, y, "#dddddd")).add(label(
            MARGIN.0 - 8.0,
            y + 4.0,
            "end",
            &time(value).replace(".0", ""),
        ));
    }
    let middle = f64::midpoint(MARGIN.0, right);
    group.add(label(
        middle,
        HEIGHT - 14.0,
        "middle",
        "share of the operations that took no longer",
    ))
}

fn rectangle(colour: &str, x: f64, y: f64, width: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("fill", colour)
        .set("x", x)
        .set("y", y)
        .set("width", width)
        .set("height", height)
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) -> Line {
    let place = |value: f64| format!("{value:.1}");
    Line::new()
        .set("x1", place(x1))
        .set("y1", place(y1))
        .set("x2", place(x2))
        .set("y2", place(y2))
        .set("stroke", colour)
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> Text {
    Text::new(text)
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
        .set("text-anchor", anchor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::latency::Latency;
    use crate::measure::reading::{Reading, Rows};

    #[test]
    fn every_row_with_latencies_has_a_curve_and_a_name() {
        let mut rows = Rows::default();
        for (name, times) in [("ask", 1), ("ping-pong", 3)] {
            let mut latency = Latency::new();
            for value in 1..10_000 {
                latency.record(value * times);
            }
            rows.add(1, Reading::time(name, "ask", 1.0).with_latency(latency));
        }
        rows.add(1, Reading::time("ring", "hop", 1.0));
        let drawn = percentiles("actors", &rows.finish()).expect("two rows have latencies");
        assert_eq!(drawn.matches("<polyline").count(), 2, "{drawn}");
        assert!(drawn.contains("libproc ping-pong, 1 arb."), "{drawn}");
        assert!(!drawn.contains("ring"), "{drawn}");
    }

    #[test]
    fn without_latencies_there_is_no_picture() {
        let mut rows = Rows::default();
        rows.add(1, Reading::time("ring", "hop", 1.0));
        assert_eq!(percentiles("actors", &rows.finish()), None);
    }
}

//! Names: what a metric may be called, and what it is called on each page.

use super::MetricError;
use super::histogram::QUANTILES;
use super::registry::Kind;

/// Longest name, label value or unit, in bytes.
pub const NAME_MAX: usize = 255;
/// Most labels of one metric.
pub const LABELS_MAX: usize = 8;

/// Label names and values, in the order in which they were set.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// Whether a text can be a name: no white space, no control characters, no empty part.
pub(super) fn check(name: &str, labels: &Labels, unit: Option<&str>) -> Result<(), MetricError> {
    let invalid = |text: &str| Err(MetricError::Invalid(text.chars().take(NAME_MAX).collect()));
    let bad = |c: char| c.is_whitespace() || c.is_control();
    let fits = |text: &str| !text.is_empty() && text.len() <= NAME_MAX && !text.contains(bad);
    if !fits(name) || name.split('/').any(str::is_empty) {
        return invalid(name);
    }
    let word = |text: &str| {
        fits(text)
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if let Some(unit) = unit.filter(|unit| !word(unit)) {
        return invalid(unit);
    }
    if labels.len() > LABELS_MAX {
        return invalid(labels[LABELS_MAX].0);
    }
    for (index, (label, value)) in labels.iter().enumerate() {
        let reserved = label.starts_with("__") || matches!(*label, "quantile" | "le");
        let again = labels[..index].iter().any(|(other, _)| other == label);
        if !word(label) || reserved || again {
            return invalid(label);
        }
        if !fits(value) {
            return invalid(value);
        }
    }
    Ok(())
}

/// The name of a family in OpenMetrics, with its unit and without the ending of its samples.
pub(super) fn exposed(name: &str, kind: Kind, unit: Option<&str>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut exposed: String = name.chars().map(plain).collect();
    if exposed.starts_with(|c: char| c.is_ascii_digit()) {
        exposed.insert(0, '_');
    }
    if kind == Kind::Counter && exposed.len() > "_total".len() && exposed.ends_with("_total") {
        exposed.truncate(exposed.len() - "_total".len());
    }
    if let Some(unit) = unit
        && !exposed
            .strip_suffix(unit)
            .is_some_and(|head| head.ends_with('_'))
    {
        exposed.push('_');
        exposed.push_str(unit);
    }
    exposed
}

/// Every name in OpenMetrics that no other family may have.
pub(super) fn exposed_names(exposed: &str, kind: Kind) -> Vec<String> {
    let endings: &[&str] = match kind {
        Kind::Counter => &["", "_total", "_created"],
        Kind::Gauge => &[""],
        Kind::Histogram | Kind::Timer => &["", "_count", "_sum", "_created"],
    };
    endings
        .iter()
        .map(|ending| format!("{exposed}{ending}"))
        .collect()
}

/// The name of one metric in the snapshot.
pub(super) fn flat(name: &str, kind: Kind, labels: &[(&'static str, String)]) -> String {
    let unit = if kind == Kind::Timer { "_ms" } else { "" };
    let mut flat = format!("{name}{unit}");
    for (_, value) in labels {
        flat.push('/');
        flat.push_str(value);
    }
    flat
}

/// Every name in the snapshot that no other metric may have.
pub(super) fn flat_names(name: &str, kind: Kind, labels: &Labels) -> Vec<String> {
    let flat = flat(name, kind, labels);
    match kind {
        Kind::Counter | Kind::Gauge => vec![flat],
        Kind::Histogram | Kind::Timer => {
            let endings = ["count", "min", "max"].into_iter();
            let endings = endings.chain(QUANTILES.iter().map(|(ending, _)| *ending));
            let below = endings
                .map(|ending| format!("{flat}/{ending}"))
                .collect::<Vec<_>>();
            [vec![flat], below].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mapped_to_what_openmetrics_knows() {
        assert_eq!(
            exposed("tasks/started", Kind::Counter, None),
            "tasks_started"
        );
        assert_eq!(exposed("tasks_total", Kind::Counter, None), "tasks");
        assert_eq!(
            exposed("disk-0/used", Kind::Gauge, Some("bytes")),
            "disk_0_used_bytes"
        );
        assert_eq!(
            exposed("used_bytes", Kind::Gauge, Some("bytes")),
            "used_bytes"
        );
        assert_eq!(exposed("bytes", Kind::Gauge, Some("bytes")), "bytes_bytes");
        assert_eq!(exposed("2nd/größe", Kind::Gauge, None), "_2nd_gr__e");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        let none = Labels::new();
        for bad in ["", "a b", "/a", "a//b", "a/", "a\n", &"x".repeat(256)] {
            assert!(check(bad, &none, None).is_err(), "{bad}");
        }
        assert_eq!(
            check("frameworks/a.b-c(1)/états", &none, Some("bytes")),
            Ok(())
        );
        assert!(check("a", &none, Some("per second")).is_err());
        for bad in ["", "1st", "a-b", "__name", "le", "quantile"] {
            assert!(
                check("a", &vec![(bad, "x".to_owned())], None).is_err(),
                "{bad}"
            );
        }
        let twice = vec![("peer", "x".to_owned()), ("peer", "y".to_owned())];
        assert!(check("a", &twice, None).is_err());
        assert!(check("a", &vec![("peer", String::new())], None).is_err());
    }
}

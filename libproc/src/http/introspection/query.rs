//! What comes behind the question mark.

use std::time::Duration;

use http::request::Parts;

use super::super::{Respond, Response, StatusCode};

/// Units of durations, as Mesos writes them, and their seconds; the longer endings first.
const UNITS: [(&str, f64); 8] = [
    ("secs", 1.0),
    ("mins", 60.0),
    ("hrs", 3600.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("ns", 1e-9),
    ("m", 60.0),
    ("s", 1.0),
];

/// The parameters of a request: names and values, unescaped.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(request: &Parts) -> Query {
        let query = request.uri.query().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let unescaped = |text: &str| percent_decode(&text.replace('+', " "));
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs = pairs.map(|(name, value)| (unescaped(name), unescaped(value)));
        Query(pairs.collect())
    }

    /// The value of a parameter; none where it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(other, _)| other == name);
        value
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter, empty where it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A number of at least one.
    pub(super) fn count(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(refused(format!("`{name}` is a number from 1"))),
        }
    }

    /// A duration such as `5secs`, `500ms` or `1.5mins`, cut to `most`.
    pub(super) fn duration(
        &self,
        name: &str,
        usual: Duration,
        most: Duration,
    ) -> Result<Duration, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(usual);
        };
        let wrong = || refused(format!("`{name}` is a duration such as 5secs or 500ms"));
        let with_unit = |(unit, seconds): &(&str, f64)| {
            let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
            (number >= 0.0).then_some(number * seconds)
        };
        let seconds = UNITS.iter().find_map(with_unit).ok_or_else(wrong)?;
        Ok(Duration::try_from_secs_f64(seconds).map_or(most, |duration| duration.min(most)))
    }
}

/// Why a page cannot be had.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        let text = text.into();
        Refusal { status, text }
    }

    pub(super) fn into_response(self) -> Response {
        Response::error(self.status, self.text + "\n")
    }
}

/// A parameter that is not what it should be.
pub(super) fn refused(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

/// `%28` and the like: ids such as `agent(1)` reach us escaped by some clients.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let request = ::http::Request::get(format!("/x?{text}")).body(());
        Query::of(&request.expect("a request").into_parts().0)
    }

    #[test]
    fn escapes_are_read_and_broken_ones_kept() {
        assert_eq!(percent_decode("agent%281%29"), "agent(1)");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz"), "%zz");
        assert_eq!(percent_decode("%+1"), "%+1");
    }

    #[test]
    fn parameters_are_checked() {
        let usual = Duration::from_secs(5);
        let most = Duration::from_secs(60);
        let timeout = |text: &str| query(text).duration("timeout", usual, most).ok();
        assert_eq!(
            timeout("timeout=1.5secs"),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(timeout("timeout=20ms&x=y"), Some(Duration::from_millis(20)));
        assert_eq!(timeout("timeout=2mins"), Some(most));
        assert_eq!(timeout("timeout=1e300secs"), Some(most));
        assert_eq!(timeout(""), Some(usual));
        for bad in ["5", "-1secs", "secs", "NaNsecs", "5weeks"] {
            assert_eq!(timeout(&format!("timeout={bad}")), None, "{bad}");
        }
        assert_eq!(query("limit=7").count("limit").ok(), Some(Some(7)));
        assert!(query("limit=0").count("limit").is_err());
        assert_eq!(query("prefix=a%20b+c").text("prefix"), "a b c");
    }
}

//! Content negotiation: what a request is in, and what its answer shall be in.

use super::body::{BadCall, Encoding, request_encoding};

/// The media type of a stream of records.
pub const RECORDIO: &str = "application/recordio";

/// No more of an `Accept` header is read than this many media ranges.
const MAX_RANGES: usize = 100;

/// What a body consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// One message. A stream of events is also asked for this way, and has this `Content-Type`
    /// though its events are framed as records.
    Message(Encoding),
    /// A stream of records that says so, each a message.
    Records(Encoding),
}

impl Form {
    /// Returns what each message is in.
    pub const fn encoding(self) -> Encoding {
        match self {
            Form::Message(encoding) | Form::Records(encoding) => encoding,
        }
    }

    /// Returns the `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Form::Message(encoding) => encoding.media_type(),
            Form::Records(_) => RECORDIO,
        }
    }

    /// Returns the `Message-Content-Type`, where there is one.
    pub const fn message_content_type(self) -> Option<&'static str> {
        match self {
            Form::Message(_) => None,
            Form::Records(encoding) => Some(encoding.media_type()),
        }
    }
}

/// Returns the encoding of an answer.
///
/// Without an `Accept` it is JSON. Where several are equally welcome, JSON comes first.
///
/// # Errors
///
/// 406 when the client takes neither.
pub fn response_encoding(accept: Option<&str>) -> Result<Encoding, BadCall> {
    let types = Encoding::ALL.map(Encoding::media_type);
    preferred(&types, accept)
        .map(|i| Encoding::ALL[i])
        .ok_or_else(|| {
            let text = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
            BadCall::new(406, "", text)
        })
}

/// Returns the form of an answer, where it may be a stream of records: the agent's operator API.
///
/// # Errors
///
/// 406 when the client takes no form there is, or says what messages shall be in without asking
/// for records.
pub fn response_form(accept: Option<&str>, message_accept: Option<&str>) -> Result<Form, BadCall> {
    let types = [
        Encoding::Json.media_type(),
        Encoding::Protobuf.media_type(),
        RECORDIO,
    ];
    let form = match preferred(&types, accept) {
        Some(0) => Form::Message(Encoding::Json),
        Some(1) => Form::Message(Encoding::Protobuf),
        Some(_) => {
            let encoding = response_encoding(message_accept).map_err(|_| {
                let text = "Expecting 'Message-Accept' to allow application/json or \
                            application/x-protobuf";
                BadCall::new(406, "", text)
            })?;
            Form::Records(encoding)
        }
        None => {
            let text = "Expecting 'Accept' to allow application/json or application/x-protobuf \
                        or application/recordio";
            return Err(BadCall::new(406, "", text));
        }
    };
    match (form, message_accept) {
        (Form::Message(_), Some(_)) => {
            let text = "Expecting 'Message-Accept' to be not set for a non-streaming response";
            Err(BadCall::new(406, "", text))
        }
        (Form::Message(_), None) | (Form::Records(_), _) => Ok(form),
    }
}

/// Returns the form of a request, where it may be a stream of records: the agent's operator API.
///
/// # Errors
///
/// 400 when a type is not there, 415 when it is another, or one that does not belong there.
pub fn request_form(
    content_type: Option<&str>,
    message_content_type: Option<&str>,
) -> Result<Form, BadCall> {
    if content_type.is_some_and(|content_type| bare(content_type).eq_ignore_ascii_case(RECORDIO)) {
        let Some(message) = message_content_type else {
            let text = "Expecting 'Message-Content-Type' to be set for a streaming request";
            return Err(BadCall::new(400, "", text));
        };
        return Encoding::from_media_type(message)
            .map(Form::Records)
            .ok_or_else(|| {
                let text = "Expecting 'Message-Content-Type' of application/json or \
                        application/x-protobuf";
                BadCall::new(415, "", text)
            });
    }
    let encoding = request_encoding(content_type)?;
    if message_content_type.is_some() {
        let text = "Expecting 'Message-Content-Type' to be not set for a non-streaming request";
        return Err(BadCall::new(415, "", text));
    }
    Ok(Form::Message(encoding))
}

/// Returns whether an answer may be compressed: `Accept-Encoding` names gzip, or anything, and
/// does not refuse it.
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let Some(header) = accept_encoding else {
        return false;
    };
    let named = |name: &str| {
        let mut ranges = ranges(header).filter(|range| range.name.eq_ignore_ascii_case(name));
        ranges.next().map(|range| range.quality)
    };
    named("gzip")
        .or_else(|| named("*"))
        .is_some_and(|quality| quality > 0)
}

/// Returns which of the media types a client prefers: the one of the greatest quality, the first
/// of several. What the header says of a type is what its most particular range says.
fn preferred(types: &[&str], accept: Option<&str>) -> Option<usize> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(0);
    };
    let mut best = None;
    for (i, media_type) in types.iter().enumerate() {
        let quality = quality(media_type, accept);
        if quality > best.map_or(0, |(_, quality)| quality) {
            best = Some((i, quality));
        }
    }
    best.map(|(i, _)| i)
}

/// Returns how welcome a media type is, in thousandths.
fn quality(media_type: &str, accept: &str) -> u32 {
    let family = media_type.split('/').next().unwrap_or_default();
    let particularity = |name: &str| match name.split_once('/') {
        _ if name.eq_ignore_ascii_case(media_type) => Some(2),
        Some((ours, "*")) if ours.eq_ignore_ascii_case(family) => Some(1),
        Some(("*", "*")) => Some(0),
        Some(_) | None => None,
    };
    let fitting = ranges(accept).filter_map(|range| Some((particularity(range.name)?, range)));
    fitting
        .max_by_key(|(particularity, _)| *particularity)
        .map_or(0, |(_, range)| range.quality)
}

struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    quality: u32,
}

fn ranges(header: &str) -> impl Iterator<Item = Range<'_>> {
    let parts = header.split(',').take(MAX_RANGES);
    parts.map(|part| {
        let parameters = part.split(';').skip(1);
        let quality = parameters.filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then_some(value.trim())
        });
        let quality = quality
            .last()
            .map_or(1_000, |text| match text.parse::<f64>() {
                Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1_000.0).round() as u32,
                // What is no quality says nothing.
                Ok(_) | Err(_) => 1_000,
            });
        Range {
            name: bare(part),
            quality,
        }
    })
}

/// A media type without its parameters.
fn bare(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::Encoding::{Json, Protobuf};
    use super::*;

    fn status<T>(result: Result<T, BadCall>) -> u16 {
        result.map_or_else(|bad| bad.status, |_| 200)
    }

    #[test]
    fn json_comes_first_where_both_are_welcome() {
        for accept in [
            None,
            Some(""),
            Some("*/*"),
            Some("application/*"),
            Some("text/html, */*"),
        ] {
            assert_eq!(response_encoding(accept), Ok(Json), "{accept:?}");
        }
        let both = "application/x-protobuf, application/json";
        assert_eq!(response_encoding(Some(both)), Ok(Json));
    }

    #[test]
    fn the_greatest_quality_wins() {
        let protobuf = [
            "application/x-protobuf",
            "APPLICATION/X-PROTOBUF;q=0.1",
            "application/json;q=0.5, application/x-protobuf;q=0.9",
            "application/json;q=0, */*",
            "*/*;q=0.1, application/x-protobuf",
            "application/*;q=0.2, application/x-protobuf;q=0.3",
        ];
        for accept in protobuf {
            assert_eq!(response_encoding(Some(accept)), Ok(Protobuf), "{accept}");
        }
        assert_eq!(
            response_encoding(Some("application/json;q=nonsense")),
            Ok(Json)
        );
    }

    #[test]
    fn what_is_not_welcome_is_not_acceptable() {
        for accept in [
            "text/html",
            "application/json;q=0",
            "*/*;q=0",
            "application",
            "garbage;;,",
        ] {
            assert_eq!(status(response_encoding(Some(accept))), 406, "{accept}");
        }
    }

    #[test]
    fn a_request_says_what_it_is_in() {
        assert_eq!(request_encoding(Some("application/json")), Ok(Json));
        assert_eq!(
            request_encoding(Some("application/json; charset=utf-8")),
            Ok(Json)
        );
        assert_eq!(
            request_encoding(Some("application/x-protobuf")),
            Ok(Protobuf)
        );
        assert_eq!(status(request_encoding(None)), 400);
        assert_eq!(status(request_encoding(Some("text/plain"))), 415);
    }

    #[test]
    fn only_a_stream_of_records_says_what_its_messages_are_in() {
        let json = Some("application/json");
        assert_eq!(request_form(json, None), Ok(Form::Message(Json)));
        assert_eq!(status(request_form(json, json)), 415);
        assert_eq!(request_form(Some(RECORDIO), json), Ok(Form::Records(Json)));
        assert_eq!(status(request_form(Some(RECORDIO), None)), 400);
        assert_eq!(
            status(request_form(Some(RECORDIO), Some("text/plain"))),
            415
        );
        assert_eq!(status(request_form(None, None)), 400);

        assert_eq!(response_form(None, None), Ok(Form::Message(Json)));
        assert_eq!(response_form(Some(RECORDIO), None), Ok(Form::Records(Json)));
        let protobuf = Some("application/x-protobuf");
        assert_eq!(
            response_form(Some(RECORDIO), protobuf),
            Ok(Form::Records(Protobuf))
        );
        assert_eq!(
            status(response_form(Some(RECORDIO), Some("text/plain"))),
            406
        );
        assert_eq!(status(response_form(json, json)), 406);
        assert_eq!(status(response_form(Some("text/plain"), None)), 406);
        let records = Form::Records(Protobuf);
        assert_eq!(records.content_type(), RECORDIO);
        assert_eq!(records.message_content_type(), protobuf);
    }

    #[test]
    fn gzip_is_asked_for() {
        for yes in ["gzip", "deflate, gzip;q=0.5", "*", "GZIP"] {
            assert!(accepts_gzip(Some(yes)), "{yes}");
        }
        for no in ["", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0, *"] {
            assert!(!accepts_gzip(Some(no)), "{no}");
        }
        assert!(!accepts_gzip(None));
    }
}

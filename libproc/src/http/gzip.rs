//! Compression of bodies, for clients that ask for it.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Body, HeaderMap, Response, header};

/// Shorter bodies gain nothing, in bytes.
const WORTH_IT: usize = 1024;
/// Longer bodies, in bytes, take longer than others on this thread should wait: about a millisecond.
const HERE: usize = 64 << 10;

/// Compresses what a client that sent these headers will take compressed, if it is worth it.
pub(super) async fn compressed(accepts: bool, mut response: Response) -> Response {
    let encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    let Body::Full(body) = response.body() else {
        return response;
    };
    if !accepts || encoded || body.len() < WORTH_IT {
        return response;
    }
    let body = body.clone();
    let short = if body.len() <= HERE {
        compress(&body)
    } else {
        let elsewhere = tokio::task::spawn_blocking(move || compress(&body));
        elsewhere.await.ok().flatten()
    };
    if let Some(short) = short {
        *response.body_mut() = Body::Full(short);
        let gzip = header::HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

fn compress(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether the client takes gzip: it names it, or anything, and not with a quality of zero.
pub fn accepted(headers: &HeaderMap) -> bool {
    let Some(Ok(text)) = headers
        .get(header::ACCEPT_ENCODING)
        .map(|value| value.to_str())
    else {
        return false;
    };
    let quality = |name: &str| {
        let mut codings = text.split(',').map(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(1.0, |text| text.parse().unwrap_or(1.0_f32));
            (name, quality)
        });
        let found = codings.find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        found.map(|(_, quality)| quality)
    };
    quality("gzip")
        .or_else(|| quality("*"))
        .is_some_and(|quality| quality > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask() {
        let accepted = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().expect("a header"));
            accepted(&headers)
        };
        for yes in ["gzip", "deflate, gzip;q=0.5", "*", "GZIP", "gzip; q=x"] {
            assert!(accepted(yes), "{yes}");
        }
        for no in ["", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0, *"] {
            assert!(!accepted(no), "{no}");
        }
    }
}

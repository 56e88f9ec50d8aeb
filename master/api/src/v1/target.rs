//! The target of a request: its path, by which Apache Mesos routes, and its query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// No more of a query is read than this many parameters.
const MAX_PARAMETERS: usize = 100;

/// Returns the parts of a path, decoded, without empty ones: `/slave(1)//state/` and
/// `/slave%281%29/state` are both `slave(1)`, `state`. None when a part is not UTF-8.
pub fn parts(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts
        .map(|part| percent_decode_str(part).decode_utf8().ok())
        .collect()
}

/// Returns which of the routes serves a path: the one of the most parts that the path begins with,
/// so that `/api/v1/operator` is served by `/api/v1`.
///
/// The path may name the process first, as in `/master/state`, and end in `.json`.
pub fn route<'r>(path: &str, process: &str, routes: &[&'r str]) -> Option<&'r str> {
    let path = parts(path)?;
    let path = match path.split_first() {
        Some((first, rest)) if first == process => rest,
        Some(_) | None => &path[..],
    };
    let serves = |route: &str| {
        let parts: Vec<&str> = route.split('/').filter(|part| !part.is_empty()).collect();
        let fits = parts.len() <= path.len()
            && parts
                .iter()
                .zip(path)
                .all(|(ours, theirs)| *ours == without_suffix(theirs));
        fits.then_some(parts.len())
    };
    let serving = routes
        .iter()
        .filter_map(|route| Some((serves(route)?, *route)));
    serving
        .max_by_key(|(parts, _)| *parts)
        .map(|(_, route)| route)
}

/// Returns the first parameter of this name in a query such as `path=%2Flog&offset=0`.
pub fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut parameters = form_urlencoded::parse(query.as_bytes()).take(MAX_PARAMETERS);
    parameters
        .find(|(ours, _)| ours == name)
        .map(|(_, value)| value)
}

fn without_suffix(part: &str) -> &str {
    part.strip_suffix(".json").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_path_are_decoded_and_not_empty() {
        assert_eq!(
            parts("/slave%281%29//state/").unwrap(),
            ["slave(1)", "state"]
        );
        assert_eq!(parts("/a%2Fb/%C3%BC").unwrap(), ["a/b", "ü"]);
        assert_eq!(parts("/100%/%zz").unwrap(), ["100%", "%zz"]);
        assert_eq!(parts("/"), Some(Vec::new()));
        assert_eq!(parts("/%ff"), None);
    }

    #[test]
    fn the_longest_route_serves_with_the_name_of_the_process_and_without() {
        let routes = ["/api/v1", "/api/v1/scheduler", "/state", "/files/read"];
        let route = |path| super::route(path, "master", &routes);
        assert_eq!(route("/api/v1"), Some("/api/v1"));
        assert_eq!(route("/api/v1/operator"), Some("/api/v1"));
        assert_eq!(route("/api/v1/scheduler"), Some("/api/v1/scheduler"));
        assert_eq!(
            route("/master/api/v1/scheduler/"),
            Some("/api/v1/scheduler")
        );
        assert_eq!(route("/master/state.json"), Some("/state"));
        assert_eq!(route("/slave(1)/state"), None);
        assert_eq!(route("/api"), None);
        assert_eq!(route("/"), None);
        assert_eq!(
            super::route("/slave(1)/state", "slave(1)", &routes),
            Some("/state")
        );
    }

    #[test]
    fn a_query_is_read_as_browsers_write_it() {
        let query = "path=%2Fvar%2Flog&offset=0&name=a+b&offset=7&flag";
        assert_eq!(parameter(query, "path").unwrap(), "/var/log");
        assert_eq!(parameter(query, "offset").unwrap(), "0");
        assert_eq!(parameter(query, "name").unwrap(), "a b");
        assert_eq!(parameter(query, "flag").unwrap(), "");
        assert_eq!(parameter(query, "jsonp"), None);
    }
}

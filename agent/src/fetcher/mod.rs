//! The fetcher: brings what a command wants into its sandbox before it runs.
//!
//! It runs in a process of its own, forked by the launcher as any executor is, as the user of the
//! task and in its sandbox: so it may read and write what the task may, and what it has to say lies
//! in the sandbox too. The agent launches the executor when it has exited well.

mod archive;
mod download;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use types::Uri;

use archive::Archive;

/// What follows the id of a container in the id of that of its fetcher.
pub(crate) const SUFFIX: &str = ".fetch";

/// Most bytes of one thing that is fetched, and of all that an archive holds: more than any image,
/// less than a file that never ends.
const BYTES_MAX: u64 = 64 << 30;

/// The exit status of a fetcher that has not fetched everything.
const EXIT_FAILED: i32 = 1;

/// What is to be fetched, as bytes that pass through the launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) uris: Vec<Uri>,
}

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("'{0}' is neither http://, https://, file:// nor an absolute path")]
    Unsupported(String),
    #[error("'{0}' has no name to be kept under: say output_file")]
    Nameless(String),
    #[error("output_file '{0}' leads out of the sandbox")]
    Outside(String),
    #[error("could not download it: {0}")]
    Download(String),
    #[error("it is larger than {BYTES_MAX} bytes")]
    TooLarge,
    #[error("could not unpack it: {0}")]
    Archive(String),
    #[error("could not {0}")]
    Io(&'static str, #[source] io::Error),
}

impl Request {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("plain data encodes into memory")
    }
}

/// Fetches everything into the working directory, and returns the exit status.
pub(crate) fn run(request: &[u8]) -> i32 {
    let request: Request = match rmp_serde::from_slice(request) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("fetcher: could not read what to fetch: {error}");
            return EXIT_FAILED;
        }
    };
    for uri in &request.uris {
        eprintln!("fetcher: fetching '{}'", uri.value);
        if let Err(error) = fetch(uri, Path::new(".")) {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("fetcher: failed to fetch '{}': {error}{cause}", uri.value);
            return EXIT_FAILED;
        }
    }
    0
}

/// Where something comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Http(&'a str),
    File(&'a Path),
}

fn source(value: &str) -> Result<Source<'_>, FetchError> {
    let lower = value.get(..8).unwrap_or(value).to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return Ok(Source::Http(value));
    }
    let path = match lower.starts_with("file://") {
        true => value[7..].strip_prefix("localhost").unwrap_or(&value[7..]),
        false => value,
    };
    match path.starts_with('/') {
        true => Ok(Source::File(Path::new(path))),
        false => Err(FetchError::Unsupported(value.to_owned())),
    }
}

/// The path in the sandbox that something is kept under.
fn target(uri: &Uri) -> Result<PathBuf, FetchError> {
    if let Some(output) = uri.output_file.as_deref().filter(|name| !name.is_empty()) {
        let path = Path::new(output);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        return match path.components().all(plain) && path.file_name().is_some() {
            true => Ok(path.to_owned()),
            false => Err(FetchError::Outside(output.to_owned())),
        };
    }
    let path = match source(&uri.value)? {
        Source::Http(url) => {
            let end = url.find(['?', '#']).unwrap_or(url.len());
            let path = url[..end].split_once("://").map_or("", |(_, rest)| rest);
            path.split_once('/').map_or("", |(_, path)| path)
        }
        Source::File(path) => path.to_str().unwrap_or_default(),
    };
    let name = path.trim_end_matches('/').rsplit('/').next();
    match name.filter(|name| !matches!(*name, "" | "." | "..")) {
        Some(name) => Ok(PathBuf::from(name)),
        None => Err(FetchError::Nameless(uri.value.clone())),
    }
}

/// Fetches one thing into a directory: it is executable, or is unpacked if it is an archive.
fn fetch(uri: &Uri, into: &Path) -> Result<(), FetchError> {
    let target = into.join(target(uri)?);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|error| FetchError::Io("make its directory", error))?;
    }
    match source(&uri.value)? {
        Source::Http(url) => download::download(url, &target)?,
        Source::File(path) => copy(path, &target)?,
    }
    if uri.executable {
        let permissions = Permissions::from_mode(0o755);
        return fs::set_permissions(&target, permissions)
            .map_err(|error| FetchError::Io("make it executable", error));
    }
    match Archive::of(&target).filter(|_| uri.extract) {
        Some(archive) => archive.unpack(&target, into),
        None => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), FetchError> {
    let failed = |what| move |error| FetchError::Io(what, error);
    let file = fs::File::open(from).map_err(failed("open it"))?;
    let metadata = file.metadata().map_err(failed("look at it"))?;
    if !metadata.is_file() {
        let error = io::Error::other("it is no file");
        return Err(FetchError::Io("copy it", error));
    }
    write(file, to)
}

/// Writes all that comes, up to a limit.
fn write(from: impl io::Read, to: &Path) -> Result<(), FetchError> {
    let mut file = fs::File::create(to).map_err(|error| FetchError::Io("create it", error))?;
    let mut from = from.take(BYTES_MAX + 1);
    let written = io::copy(&mut from, &mut file);
    match written.map_err(|error| FetchError::Io("write it", error))? {
        length if length > BYTES_MAX => Err(FetchError::TooLarge),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(value: &str) -> Uri {
        Uri {
            value: value.to_owned(),
            extract: true,
            ..Uri::default()
        }
    }

    #[test]
    fn a_thing_is_kept_under_the_last_part_of_its_path_or_the_name_it_is_given() {
        for (value, name) in [
            ("http://a.example/b/c.tgz?x=/d#e", "c.tgz"),
            ("HTTPS://a.example/b/", "b"),
            ("file:///b/c", "c"),
            ("/b/c", "c"),
        ] {
            assert_eq!(target(&uri(value)).unwrap(), Path::new(name), "{value}");
        }
        for value in [
            "http://a.example",
            "http://a.example/?x",
            "ftp://a/b",
            "b/c",
            "file://b",
        ] {
            assert!(target(&uri(value)).is_err(), "{value}");
        }
        let named = |output: &str| Uri {
            output_file: Some(output.to_owned()),
            ..uri("/b/c")
        };
        assert_eq!(target(&named("d/e")).unwrap(), Path::new("d/e"));
        for wrong in ["/d", "../d", "d/../../e", ".."] {
            assert!(target(&named(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_copied_and_made_executable() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let script = from.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let asked = Uri {
            executable: true,
            output_file: Some("bin/run".to_owned()),
            ..uri(script.to_str().unwrap())
        };
        fetch(&asked, into.path()).unwrap();
        let mode = fs::metadata(into.path().join("bin/run"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o111, 0o111);
        let missing = fetch(&uri("/no/such/file"), into.path());
        assert!(matches!(missing, Err(FetchError::Io("open it", _))));
        assert!(fetch(&uri("/dev"), into.path()).is_err());
    }
}

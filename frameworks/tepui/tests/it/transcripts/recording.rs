//! A recorded conversation: a request, the head of its answer, and its body or records.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// One file of the recordings.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    /// The folder and the file, without `.txt`.
    pub(super) name: String,
    /// Request line and headers.
    pub(super) head: Vec<String>,
    pub(super) body: Vec<u8>,
    pub(super) status: u16,
    /// Of the answer, with names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// The body of the answer, if it is JSON.
    pub(super) answer: Option<Json>,
    /// What came on the stream, if the answer is one.
    pub(super) records: Vec<Json>,
}

impl Recording {
    /// The value of a header of the answer.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn is_stream(&self) -> bool {
        !self.records.is_empty()
    }

    fn read(path: &Path, name: String) -> Recording {
        let text = std::fs::read_to_string(path).unwrap();
        let mut recording = Recording {
            name,
            head: Vec::new(),
            body: Vec::new(),
            status: 0,
            headers: Vec::new(),
            answer: None,
            records: Vec::new(),
        };
        for section in text.split("\n----- ").skip(1) {
            let (title, content) = section.split_once('\n').unwrap_or((section, ""));
            if title.starts_with("C->S") {
                let (head, body) = content.split_once("\n\n").unwrap_or((content, ""));
                recording.head = head.lines().map(str::to_owned).collect();
                recording.body = bytes(body.trim());
            } else if title.ends_with("head") && recording.status == 0 {
                recording.read_head(content);
            } else if title.contains("record") {
                // Notes of who recorded it begin with `#`.
                let record = content.lines().next().unwrap_or_default();
                recording.records.extend(serde_json::from_str(record));
            } else if title.contains("body") && recording.answer.is_none() {
                recording.answer = serde_json::from_str(content).ok();
            }
        }
        assert!(recording.status > 0, "{}", recording.name);
        recording
    }

    fn read_head(&mut self, head: &str) {
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        self.status = status.and_then(|status| status.parse().ok()).unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        self.headers = headers.collect();
    }
}

/// The body of a request; what is not text was recorded as hexadecimal numbers.
fn bytes(body: &str) -> Vec<u8> {
    if !body.starts_with("[binary") {
        return body.as_bytes().to_vec();
    }
    let lines = body
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once("  "));
    let numbers = lines.filter_map(|(_, rest)| rest.split('|').next());
    let numbers = numbers.flat_map(str::split_whitespace);
    numbers
        .filter_map(|number| u8::from_str_radix(number, 16).ok())
        .collect()
}

/// The recordings of a folder, by their names.
pub(super) fn folder(name: &str) -> Vec<Recording> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        Recording::read(&path, format!("{name}/{stem}"))
    };
    files.into_iter().map(read).collect()
}

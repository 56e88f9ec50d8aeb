//! Recorded requests, made again: with the ids of this cluster instead of those of that one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::recording::Recording;
use super::shape::Shape;
use super::wire::{Answer, ask, open};

/// Longest time for an event that a request waits for.
const PATIENCE: Duration = Duration::from_secs(5);
/// What answers of HTTP have or not for reasons of their own.
const OF_HTTP: [&str; 5] = [
    "date",
    "content-length",
    "transfer-encoding",
    "connection",
    "vary",
];

/// A replay, and what it found so far: of which recording, and what differs.
#[derive(Default)]
pub(super) struct Replay {
    /// What an id of the recording is here.
    pub(super) names: BTreeMap<String, String>,
    pub(super) found: BTreeSet<(String, String)>,
}

impl Replay {
    pub(super) fn differs(&mut self, recording: &str, how: impl Into<String>) {
        self.found.insert((recording.to_owned(), how.into()));
    }

    /// The request with the names of here.
    fn request(&self, recording: &Recording) -> (Vec<String>, Vec<u8>) {
        let renamed = |text: &str| {
            let mut text = text.to_owned();
            for (theirs, ours) in &self.names {
                text = text.replace(&format!("\"{theirs}\""), &format!("\"{ours}\""));
                text = text.replace(&format!("Id: {theirs}"), &format!("Id: {ours}"));
            }
            text
        };
        let head = recording.head.iter().map(|line| renamed(line)).collect();
        let body = match String::from_utf8(recording.body.clone()) {
            Ok(text) => renamed(&text).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        (head, body)
    }

    /// Makes a request and compares status, headers, and the shape of JSON.
    pub(super) fn ask(&mut self, address: &str, recording: &Recording) {
        let (head, body) = self.request(recording);
        let answer = ask(address, &head, &body);
        if !self.compare_heads(recording, &answer) {
            return;
        }
        let ours = serde_json::from_slice::<Json>(&answer.body);
        match (&recording.answer, ours) {
            (Some(theirs), Ok(ours)) => {
                let differences = Shape::of(&ours).differences(&Shape::of(theirs));
                for difference in differences {
                    self.differs(&recording.name, difference);
                }
            }
            (Some(_), Err(_)) => self.differs(&recording.name, "the body is no JSON"),
            (None, _) => {}
        }
    }

    /// Opens a stream and compares its head.
    pub(super) fn open(&mut self, address: &str, recording: &Recording) -> Stream {
        let (head, body) = self.request(recording);
        let (answer, records) = open(address, &head, &body);
        self.compare_heads(recording, &answer);
        let (theirs, ours) = (
            recording.header("mesos-stream-id"),
            answer.header("mesos-stream-id"),
        );
        if let (Some(theirs), Some(ours)) = (theirs, ours) {
            self.names.insert(theirs.to_owned(), ours.to_owned());
        }
        Stream::new(records)
    }

    /// Whether what follows the heads can be compared at all.
    fn compare_heads(&mut self, recording: &Recording, answer: &Answer) -> bool {
        let name = &recording.name;
        if answer.status != recording.status {
            let (ours, theirs) = (answer.status, recording.status);
            self.differs(name, format!("status {ours} instead of {theirs}"));
            return false;
        }
        let type_of = |value: Option<&str>| value.unwrap_or("nothing").to_owned();
        let (ours, theirs) = (
            answer.header("content-type"),
            recording.header("content-type"),
        );
        if ours != theirs {
            let (ours, theirs) = (type_of(ours), type_of(theirs));
            self.differs(name, format!("Content-Type {ours} instead of {theirs}"));
        }
        let besides = |known: &str| OF_HTTP.contains(&known) || known == "content-type";
        for (header, _) in recording
            .headers
            .iter()
            .filter(|(header, _)| !besides(header))
        {
            if answer.header(header).is_none() {
                self.differs(name, format!("no header {header}"));
            }
        }
        for (header, _) in answer.headers.iter().filter(|(header, _)| !besides(header)) {
            if recording.header(header).is_none() {
                self.differs(name, format!("header {header} besides"));
            }
        }
        true
    }
}

/// A stream of events of here.
pub(super) struct Stream {
    records: Receiver<Json>,
    pub(super) seen: Vec<Json>,
}

impl Stream {
    pub(super) fn new(records: Receiver<Json>) -> Stream {
        Stream {
            records,
            seen: Vec::new(),
        }
    }

    /// Takes what comes until `wanted` gives something of what was seen; none when it does not in
    /// time.
    pub(super) fn wait<T>(&mut self, mut wanted: impl FnMut(&[Json]) -> Option<T>) -> Option<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(&self.seen) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            self.seen.push(self.records.recv_timeout(left).ok()?);
        }
    }

    /// Takes all that has come.
    pub(super) fn drain(&mut self) {
        self.seen.extend(self.records.try_iter());
    }

    /// Compares the events seen with those of a recording, kind by kind.
    pub(super) fn compare(
        &self,
        replay: &mut Replay,
        recording: &Recording,
        kind: impl Fn(&Json) -> String,
    ) {
        let shapes = |events: &[Json]| {
            let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
            for event in events {
                shapes.entry(kind(event)).or_default().add(event);
            }
            shapes
        };
        let (ours, theirs) = (shapes(&self.seen), shapes(&recording.records));
        for (kind, theirs) in &theirs {
            match ours.get(kind) {
                Some(ours) => {
                    for difference in ours.differences(theirs) {
                        replay.differs(&recording.name, format!("{kind}: {difference}"));
                    }
                }
                None => replay.differs(&recording.name, format!("no event {kind}")),
            }
        }
        for kind in ours.keys().filter(|kind| !theirs.contains_key(*kind)) {
            replay.differs(&recording.name, format!("event {kind} besides"));
        }
    }
}

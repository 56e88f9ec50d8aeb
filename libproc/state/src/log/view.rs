//! The variables, as the log has them so far: entries are applied in the order of the log, by
//! everybody alike.

use bytes::Bytes;
use imbl::OrdMap;
use replog::Position;

use super::gathering::Gathering;
use super::record::{HEADER, Kind, Logged, Message, Piece, Saved, SessionId, Value};
use super::{COMMIT_MAX, delta};
use crate::{Change, Entry};

/// What a variable weighs beside its name and value: about what it takes in a log.
const ENTRY_WEIGHT: u64 = 64;

/// All variables. A copy is one reference count.
pub(super) type Entries = OrdMap<String, Entry>;

/// What became of a message that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Whether all of a commit found the versions it expects, and was made.
    Changed(bool),
    /// It was not a commit.
    Noted,
    /// It did not count: some of it is missing, or a later session had begun.
    Void,
}

/// A complete message of a session: of which, its number, and what became of it.
pub(super) type Completed = ((SessionId, u64), Outcome);

/// What is not as a writer writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("position {position} of the log: {why}")]
pub(super) struct Damage {
    position: Position,
    why: String,
}

/// The variables, as the log has them up to a position.
pub(super) struct View {
    /// Everything up to here has been applied.
    applied: Position,
    base: Base,
    session: Option<SessionId>,
    gathering: Gathering,
    entries: Entries,
    weight: u64,
    /// Bytes of commits that were applied.
    grown: u64,
    /// Which of them were when the last checkpoint began.
    saved: u64,
    /// The checkpoint that is being written, and `grown` when it began.
    saving: Option<((SessionId, u64), u64)>,
}

/// What there was before the first position that was applied.
enum Base {
    /// It is known.
    Known,
    /// It comes with a checkpoint. Until then, commits are kept, and what the checkpoint has.
    Awaited {
        commits: Vec<Commit>,
        of: Option<(SessionId, u64)>,
        entries: Entries,
    },
}

/// A complete commit that cannot be applied yet.
struct Commit {
    position: Position,
    session: SessionId,
    message: u64,
    changes: Vec<Logged>,
}

impl View {
    /// The variables of a log that begins at this position.
    pub(super) fn new(begin: Position) -> View {
        let base = match begin <= Position::FIRST {
            true => Base::Known,
            false => Base::Awaited {
                commits: Vec::new(),
                of: None,
                entries: Entries::new(),
            },
        };
        View {
            applied: begin.previous(),
            base,
            session: None,
            gathering: Gathering::default(),
            entries: Entries::new(),
            weight: 0,
            grown: 0,
            saved: 0,
            saving: None,
        }
    }

    /// Everything up to here has been applied.
    pub(super) fn applied(&self) -> Position {
        self.applied
    }

    /// Nothing up to here is to be applied any more.
    pub(super) fn advance(&mut self, to: Position) {
        self.applied = self.applied.max(to);
    }

    /// Whether the variables are known: if not, a checkpoint has to be read first.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.base, Base::Known)
    }

    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    pub(super) fn growth(&self) -> u64 {
        self.grown - self.saved
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// What of the log is needed by who has all variables as they are now.
    pub(super) fn needed_from(&self) -> Position {
        let next = self.applied.next();
        self.gathering.first().map_or(next, |first| first.min(next))
    }

    /// Forgets pieces of a message that its writer has given up. Only that writer may.
    pub(super) fn give_up(&mut self, message: u64) {
        self.gathering.give_up(message);
    }

    /// Applies the entry at a position: the next one that is an entry.
    ///
    /// # Errors
    /// When no writer wrote it.
    pub(super) fn apply(
        &mut self,
        position: Position,
        data: &Bytes,
    ) -> Result<Vec<Completed>, Damage> {
        let damage = |why| Damage { position, why };
        let piece = Piece::decode(data).map_err(damage)?;
        self.applied = position;
        if self.session.is_some_and(|session| session > piece.session) {
            return Ok(self.void(&piece));
        }
        if self.session != Some(piece.session) {
            self.session = Some(piece.session);
            self.gathering = Gathering::default();
        }
        let (session, message) = (piece.session, piece.message);
        let last = piece.kind == Kind::Last;
        let Some(bytes) = self.gathering.add(position, piece) else {
            return Ok(match last {
                true => vec![((session, message), Outcome::Void)],
                false => Vec::new(),
            });
        };
        let size = bytes.len() + HEADER;
        match Message::decode(&bytes).map_err(damage)? {
            Message::Changes(changes) => {
                self.grown += size as u64;
                let commit = Commit {
                    position,
                    session,
                    message,
                    changes,
                };
                match &mut self.base {
                    Base::Known => Ok(vec![self.make(commit)?]),
                    Base::Awaited { commits, .. } => {
                        commits.push(commit);
                        Ok(Vec::new())
                    }
                }
            }
            Message::Saved { at, entries } => {
                self.keep((session, at), entries);
                Ok(vec![((session, message), Outcome::Noted)])
            }
            Message::Checkpoint {
                at,
                begin,
                count,
                session: then,
            } => {
                let mut completed = self.finish((session, at), count, then)?;
                self.gathering.forget_before(Position(begin));
                completed.push(((session, message), Outcome::Noted));
                Ok(completed)
            }
        }
    }

    fn void(&self, piece: &Piece) -> Vec<Completed> {
        match piece.kind {
            Kind::Last => vec![((piece.session, piece.message), Outcome::Void)],
            Kind::Begin | Kind::More => Vec::new(),
        }
    }

    /// Makes a commit, if it finds the versions it expects.
    fn make(&mut self, commit: Commit) -> Result<Completed, Damage> {
        let Commit {
            position,
            session,
            message,
            changes,
        } = commit;
        let id = (session, message);
        if self.session.is_some_and(|now| now > session) {
            return Ok((id, Outcome::Void));
        }
        let holds = |change: &Logged| {
            let (name, expected) = change.expects();
            self.entries.get(name).map(|entry| entry.version) == expected
        };
        if !changes.iter().all(holds) {
            return Ok((id, Outcome::Changed(false)));
        }
        // Values first, so that nothing is made of what cannot be made as a whole.
        let mut made = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Logged::Set {
                    name,
                    version,
                    value,
                    ..
                } => {
                    let value = self.value(&name, value);
                    let value = value.ok_or_else(|| Damage {
                        position,
                        why: format!("what it says of {name:?} does not fit"),
                    })?;
                    let entry = Entry {
                        name: name.clone(),
                        version,
                        value,
                    };
                    made.push((name, Some(entry)));
                }
                Logged::Expunge { name, .. } => made.push((name, None)),
                Logged::Check { .. } => {}
            }
        }
        for (name, entry) in made {
            self.weight += entry.as_ref().map_or(0, weight_of);
            let before = match entry {
                Some(entry) => self.entries.insert(name, entry),
                None => self.entries.remove(&name),
            };
            self.weight -= before.as_ref().map_or(0, weight_of);
        }
        Ok((id, Outcome::Changed(true)))
    }

    /// The value that a variable gets.
    fn value(&self, name: &str, value: Value) -> Option<Bytes> {
        match value {
            Value::Whole(value) => Some(value),
            Value::Delta { edits, crc } => {
                let old = &self.entries.get(name)?.value;
                let new = delta::apply(old, &edits, COMMIT_MAX)?;
                (crc32fast::hash(&new) == crc).then_some(new)
            }
        }
    }

    /// Some variables of a checkpoint.
    fn keep(&mut self, checkpoint: (SessionId, u64), saved: Vec<Saved>) {
        if self.saving.map(|(saving, _)| saving) != Some(checkpoint) {
            self.saving = Some((checkpoint, self.grown));
        }
        let Base::Awaited { of, entries, .. } = &mut self.base else {
            return;
        };
        if *of != Some(checkpoint) {
            *of = Some(checkpoint);
            *entries = Entries::new();
        }
        for Saved {
            name,
            version,
            value,
        } in saved
        {
            let entry = Entry {
                name: name.clone(),
                version,
                value,
            };
            entries.insert(name, entry);
        }
    }

    /// A checkpoint is complete.
    fn finish(
        &mut self,
        checkpoint: (SessionId, u64),
        count: u64,
        session: Option<SessionId>,
    ) -> Result<Vec<Completed>, Damage> {
        let began = self.saving.filter(|(saving, _)| *saving == checkpoint);
        self.saved = began.map_or(self.grown, |(_, grown)| grown);
        self.saving = None;
        let Base::Awaited {
            commits,
            of,
            entries,
        } = &mut self.base
        else {
            return Ok(Vec::new());
        };
        let is_it = *of == Some(checkpoint) || count == 0;
        if count == 0 {
            *entries = Entries::new();
        }
        if !is_it || entries.len() as u64 != count {
            // It began before what is read: another one is to come.
            return Ok(Vec::new());
        }
        let commits = std::mem::take(commits);
        self.entries = std::mem::take(entries);
        self.weight = self.entries.values().map(weight_of).sum();
        self.base = Base::Known;
        // Commits are made as of the session they were in.
        let now = std::mem::replace(&mut self.session, session);
        let mut completed = Vec::new();
        for commit in commits {
            if commit.position > Position(checkpoint.1) {
                self.session = self.session.max(Some(commit.session));
                completed.push(self.make(commit)?);
            }
        }
        self.session = now;
        Ok(completed)
    }
}

fn weight_of(entry: &Entry) -> u64 {
    (entry.name.len() + entry.value.len()) as u64 + ENTRY_WEIGHT
}

/// How a commit is logged by one who knows these variables.
pub(super) fn logged(entries: &Entries, changes: &[Change]) -> Vec<Logged> {
    let logged = changes.iter().map(|change| match change {
        Change::Set { entry, expected } => Logged::Set {
            name: entry.name.clone(),
            expected: *expected,
            version: entry.version,
            value: value_of(entries, entry, *expected),
        },
        Change::Expunge { name, expected } => Logged::Expunge {
            name: name.clone(),
            expected: *expected,
        },
        Change::Check { name, expected } => Logged::Check {
            name: name.clone(),
            expected: *expected,
        },
    });
    logged.collect()
}

/// As what changed, if the value before is the one that is expected.
fn value_of(entries: &Entries, entry: &Entry, expected: Option<crate::Version>) -> Value {
    let before = entries.get(&entry.name);
    let before = before.filter(|before| Some(before.version) == expected);
    let edits = before.and_then(|before| delta::diff(&before.value, &entry.value));
    match edits {
        Some(edits) => Value::Delta {
            edits,
            crc: crc32fast::hash(&entry.value),
        },
        None => Value::Whole(entry.value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn piece(kind: Kind, session: SessionId, message: u64, index: u32, data: Bytes) -> Bytes {
        let piece = Piece {
            kind,
            session,
            message,
            index,
            data,
        };
        piece.encode()
    }

    fn set(name: &str, expected: Option<Version>, version: Version) -> Bytes {
        let value = Value::Whole(vec![1; 100].into());
        let name = name.to_owned();
        let set = Logged::Set {
            name,
            expected,
            version,
            value,
        };
        Message::Changes(vec![set]).encode()
    }

    /// Applies what a log has from a position on.
    fn replay(log: &[Bytes], from: u64) -> (View, Vec<Outcome>) {
        let mut view = View::new(Position(from));
        let mut outcomes = Vec::new();
        for (data, position) in log.iter().zip(1..) {
            if position >= from {
                let completed = view.apply(Position(position), data).unwrap();
                outcomes.extend(completed.into_iter().map(|(_, outcome)| outcome));
            }
        }
        (view, outcomes)
    }

    #[test]
    fn of_two_that_expect_the_same_the_first_in_the_log_wins() {
        let session = SessionId::after(None);
        let (a, b) = (Version::fresh(), Version::fresh());
        let log = [
            piece(Kind::Last, session, 0, 0, set("x", None, a)),
            piece(Kind::Last, session, 1, 0, set("x", None, b)),
        ];
        let (view, outcomes) = replay(&log, 1);
        assert_eq!(outcomes, [Outcome::Changed(true), Outcome::Changed(false)]);
        assert_eq!(view.get("x").unwrap().version, a);
    }

    #[test]
    fn nothing_of_a_session_counts_after_a_later_one_has_begun() {
        let first = SessionId::after(None);
        let second = SessionId::after(Some(first));
        let whole = set("x", None, Version::fresh());
        let log = [
            piece(Kind::More, first, 0, 0, whole.slice(..10)),
            piece(Kind::Begin, second, u64::MAX, 0, Bytes::new()),
            piece(Kind::Last, first, 0, 1, whole.slice(10..)),
            piece(Kind::Last, first, 1, 0, whole.clone()),
        ];
        let (view, outcomes) = replay(&log, 1);
        assert_eq!(outcomes, [Outcome::Void, Outcome::Void]);
        assert!(view.names().is_empty());
        assert_eq!(view.needed_from(), Position(5));
    }

    #[test]
    fn a_message_with_a_piece_missing_does_not_count() {
        let session = SessionId::after(None);
        let whole = set("x", None, Version::fresh());
        let log = [
            piece(Kind::More, session, 0, 0, whole.slice(..10)),
            piece(Kind::Last, session, 0, 2, whole.slice(20..)),
            piece(Kind::Last, session, 1, 1, whole.slice(10..)),
        ];
        let (view, outcomes) = replay(&log, 1);
        assert_eq!(outcomes, [Outcome::Void, Outcome::Void]);
        assert!(view.names().is_empty());
    }

    #[test]
    fn who_reads_from_a_checkpoint_on_knows_what_everybody_knows() {
        let first = SessionId::after(None);
        let second = SessionId::after(Some(first));
        let versions: Vec<Version> = (0..5).map(|_| Version::fresh()).collect();
        let large = set("large", None, versions[4]);
        let mut log = vec![
            piece(Kind::Last, second, 0, 0, set("x", None, versions[0])),
            piece(Kind::Last, second, 1, 0, set("y", None, versions[1])),
            // Under way at the moment of the checkpoint.
            piece(Kind::More, second, 2, 0, large.slice(..10)),
        ];
        let (at, _) = replay(&log, 1);
        assert_eq!(at.needed_from(), Position(3));
        let saved = at.entries().values().map(|entry| Saved {
            name: entry.name.clone(),
            version: entry.version,
            value: entry.value.clone(),
        });
        let saved = Message::Saved {
            at: 3,
            entries: saved.collect(),
        };
        let checkpoint = Message::Checkpoint {
            at: 3,
            begin: 3,
            count: 2,
            session: at.session(),
        };
        let expunge = Logged::Expunge {
            name: "y".to_owned(),
            expected: versions[1],
        };
        log.extend([
            piece(
                Kind::Last,
                second,
                3,
                0,
                set("x", Some(versions[0]), versions[2]),
            ),
            // Of a session that is over.
            piece(Kind::Last, first, 9, 0, set("z", None, versions[3])),
            piece(Kind::Last, second, 4, 0, saved.encode()),
            piece(Kind::Last, second, 2, 1, large.slice(10..)),
            piece(Kind::Last, second, 5, 0, checkpoint.encode()),
            piece(
                Kind::Last,
                second,
                6,
                0,
                Message::Changes(vec![expunge]).encode(),
            ),
        ]);
        let (all, _) = replay(&log, 1);
        let (late, _) = replay(&log, 3);
        assert!(late.is_known());
        assert_eq!(all.names(), ["large", "x"]);
        assert!(all.entries() == late.entries());
        assert_eq!(all.weight(), late.weight());
        // Before it is complete, nothing is known.
        assert!(!replay(&log[..6], 3).0.is_known());
    }

    #[test]
    fn what_changed_does_not_fit_another_value() {
        let session = SessionId::after(None);
        let (a, b) = (Version::fresh(), Version::fresh());
        let change = Logged::Set {
            name: "x".to_owned(),
            expected: Some(a),
            version: b,
            value: Value::Delta {
                edits: delta::diff(&[1; 2000], &[1; 2001]).unwrap(),
                crc: 7,
            },
        };
        let mut view = View::new(Position::FIRST);
        let first = piece(Kind::Last, session, 0, 0, set("x", None, a));
        view.apply(Position(1), &first).unwrap();
        let second = Message::Changes(vec![change]).encode();
        let second = piece(Kind::Last, session, 1, 0, second);
        let damage = view.apply(Position(2), &second).unwrap_err();
        assert_eq!(damage.position, Position(2));
    }
}

//! The other side of catching up: chosen entries for who lacks them, from memory or from the storage, and
//! a base to begin at where they are truncated.

use crate::{
    Base, Entry, Leading, Member, Message, NodeId, Output, Position, Record, Replica, RequestId,
    Snapshot, Span, replica::Role,
};

impl Replica {
    /// Answers who lacks chosen entries.
    pub(crate) fn fetch(&mut self, from: Member, request: RequestId, span: Span) {
        let Some(config) = self.configs.at(self.begin).cloned() else {
            return self.send(from.node, Message::FetchRefused { request });
        };
        if span.first < self.begin {
            let base = Base {
                begin: self.begin,
                config,
                snapshot: self.snapshot.clone(),
            };
            return self.answer(from.node, Message::Truncated { request, base });
        }
        let mut last = span.last.min(self.commit);
        for damaged in &self.damage.spans {
            if damaged.has(span.first) && span.first <= self.commit {
                return self.send(from.node, Message::FetchRefused { request });
            }
            if damaged.first > span.first {
                last = last.min(damaged.first.previous());
            }
        }
        let span = Span::new(span.first, last);
        if span.first <= last && span.first < self.window.first() {
            let bytes = self.setup.options.fetch_bytes;
            return self.out.push(Output::Load {
                to: from.node,
                request,
                span,
                bytes,
            });
        }
        let entries = self.entries_of(span);
        self.send_fetched(from.node, request, span.first, entries);
    }

    fn entries_of(&self, span: Span) -> Vec<Entry> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let limit = self.setup.options.fetch;
        for (position, entry) in self.window.from(span.first) {
            bytes += entry.action.weight();
            let count = entries.len() as u64;
            let full = count > 0 && (bytes > self.setup.options.fetch_bytes || count >= limit);
            if position > span.last || position != span.first.plus(count) || full {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    pub(crate) fn loaded(
        &mut self,
        to: NodeId,
        request: RequestId,
        first: Position,
        mut entries: Vec<Entry>,
    ) {
        entries.truncate(usize::try_from(self.commit.next().since(first)).unwrap_or(usize::MAX));
        if entries.is_empty() {
            return self.send(to, Message::FetchRefused { request });
        }
        self.send_fetched(to, request, first, entries);
    }

    fn send_fetched(
        &mut self,
        to: NodeId,
        request: RequestId,
        first: Position,
        entries: Vec<Entry>,
    ) {
        let leading = match &self.role {
            Role::Leading(leader) => Some(Leading {
                ballot: leader.ballot,
                proposed: leader.proposed(),
            }),
            Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) => None,
        };
        let commit = self.commit;
        self.send(
            to,
            Message::Fetched {
                request,
                first,
                entries,
                commit,
                leading,
            },
        );
    }

    /// Keeps what stands for the entries up to its end.
    pub(crate) fn keep_snapshot(&mut self, snapshot: Snapshot) {
        let newer = self
            .snapshot
            .as_ref()
            .is_none_or(|old| old.through < snapshot.through);
        let Some(config) = self.configs.at(self.begin).cloned() else {
            return;
        };
        if !newer || snapshot.through > self.commit {
            return;
        }
        self.snapshot = Some(snapshot.clone());
        self.note_commit();
        self.persist(Record::Base(Base {
            begin: self.begin,
            config,
            snapshot: Some(snapshot),
        }));
    }
}

//! Reads of what is true now: up to where one must have learned (read-index of Ongaro's *Raft* thesis,
//! 6.4). The leader notes its commit, and waits until an accepting quorum has answered a heartbeat
//! sent afterwards: then no other leader had anything chosen when it was asked, since its electing
//! quorum would meet this one. No clock is trusted. All reads that wait share a heartbeat.

use crate::{
    Failure, Member, Message, Millis, NodeId, Output, Position, Replica, RequestId, Ticket,
    options::READS_MAX, replica::Role,
};
use std::collections::BTreeMap;

/// Questions put to the leader.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Reads {
    asked: BTreeMap<RequestId, (Ticket, Millis)>,
}

impl Reads {
    /// The oldest question has the lowest number, and all wait equally long.
    pub(crate) fn deadline(&self) -> Millis {
        self.asked
            .values()
            .next()
            .map_or(Millis::NEVER, |(_, until)| *until)
    }
}

/// A read that waits for a heartbeat to be answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Waiting {
    round: u64,
    position: Position,
    whose: Whose,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Whose {
    Own(Ticket),
    Peer(NodeId, RequestId),
}

impl Replica {
    /// Answers up to where one must have learned, here or by asking the leader.
    pub(crate) fn read(&mut self, ticket: Ticket) {
        match &self.role {
            Role::Leading(_) => self.read_here(Whose::Own(ticket)),
            Role::Follower {
                leader: Some(leader),
                ..
            } if self.reads.asked.len() < READS_MAX => {
                let leader = *leader;
                let request = self.next_request();
                let until = self.now.plus(self.setup.options.election_ms);
                self.reads.asked.insert(request, (ticket, until));
                self.send(leader, Message::AskRead { request });
            }
            Role::Follower {
                leader: Some(_), ..
            } => self.refuse(ticket, Failure::Busy),
            Role::Follower { leader: None, .. } | Role::Canvassing(_) | Role::Preparing(_) => {
                self.refuse(ticket, Failure::NotLeader(None));
            }
        }
    }

    pub(crate) fn asked_to_read(&mut self, from: Member, request: RequestId) {
        self.read_here(Whose::Peer(from.node, request));
    }

    fn read_here(&mut self, whose: Whose) {
        let votes = self.config().is_some_and(|config| config.has(self.me));
        let commit = self.commit;
        let waiting = match &mut self.role {
            Role::Leading(leader) if votes && leader.is_elected(commit) => {
                let waiting = Waiting {
                    round: leader.round + 1,
                    position: commit,
                    whose,
                };
                if leader.reads.len() >= READS_MAX {
                    return self.refuse_read(waiting);
                }
                waiting
            }
            Role::Leading(_) | Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) => {
                return self.refuse_read(Waiting {
                    round: 0,
                    position: commit,
                    whose,
                });
            }
        };
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        leader.reads.push_back(waiting);
        if leader.reads.len() == 1 {
            self.beat();
        }
        self.serve_reads();
    }

    /// Answers the reads whose heartbeat a quorum has answered; sends the next if others wait for it.
    pub(crate) fn serve_reads(&mut self) {
        let Some(config) = self.configs.latest() else {
            return;
        };
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let mut done = Vec::new();
        while let Some(waiting) = leader.reads.front() {
            let sent = waiting.round <= leader.round;
            if !sent || leader.answered(config, self.me, waiting.round) + 1 < config.accepting() {
                break;
            }
            done.extend(leader.reads.pop_front());
        }
        let beat = leader
            .reads
            .front()
            .is_some_and(|waiting| waiting.round > leader.round);
        for Waiting {
            position, whose, ..
        } in done
        {
            match whose {
                Whose::Own(ticket) => self.out.push(Output::Readable { ticket, position }),
                Whose::Peer(node, request) => {
                    self.send(node, Message::ReadAt { request, position });
                }
            }
        }
        if beat {
            self.beat();
            self.serve_reads();
        }
    }

    pub(crate) fn refuse_read(&mut self, waiting: Waiting) {
        match waiting.whose {
            Whose::Own(ticket) => self.refuse(ticket, Failure::NotLeader(None)),
            Whose::Peer(node, request) => self.send(node, Message::ReadRefused { request }),
        }
    }

    pub(crate) fn read_at(&mut self, from: Member, request: RequestId, position: Position) {
        let Some((ticket, _)) = self.reads.asked.remove(&request) else {
            return;
        };
        self.out.push(Output::Readable { ticket, position });
        self.hear_of(from.node, position);
    }

    pub(crate) fn read_refused(&mut self, request: RequestId) {
        let Some((ticket, _)) = self.reads.asked.remove(&request) else {
            return;
        };
        self.refuse(ticket, Failure::NotLeader(None));
    }

    pub(crate) fn tick_reads(&mut self) {
        while self.reads.deadline() <= self.now {
            let Some((_, (ticket, _))) = self.reads.asked.pop_first() else {
                return;
            };
            self.refuse(ticket, Failure::NotLeader(None));
        }
    }
}

//! What goes wrong in a simulated cluster, and how it all ends well.
//!
//! Disks may lose anything, but never so much that nobody could know: for each position,
//! no more members are without a good copy, or without their promises, than a quorum can do without
//! (TigerBeetle's fault atlas). Beyond that a loss is not a bug.

use super::site::Site;
use super::world::{Event, World};
use crate::{Change, Config, Damage, Envelope, Input, NodeId, Position, Space, Span, Status};

impl World {
    pub(crate) fn plan_faults(&mut self) {
        let swarm = self.swarm.clone();
        self.at_about(swarm.requests_ms, Event::Request);
        self.at_about(swarm.partitions_ms, Event::Partition);
        self.at_about(swarm.crashes_ms, Event::Crash);
        self.at_about(swarm.pauses_ms, Event::Pause);
        self.at_about(swarm.rot_ms, Event::Rot);
        self.at_about(swarm.changes_ms, Event::Change);
        self.at_about(swarm.unrest_ms, Event::Unrest);
        self.at_about(swarm.full_ms, Event::Fill);
    }

    pub(crate) fn send(&mut self, from: usize, envelope: Envelope) {
        let to = self.index(envelope.to);
        self.count("messages", 1);
        if self.cut[from][to] {
            return self.count("messages cut off", 1);
        }
        let copies = if !self.faulty {
            1
        } else if self.chance.permille(self.swarm.loss) {
            return self.count("messages lost", 1);
        } else if self.chance.permille(self.swarm.duplication) {
            self.count("messages doubled", 1);
            2
        } else {
            1
        };
        for _ in 1..copies {
            let after = self.delay();
            self.at(after, Event::Deliver(Box::new(envelope.clone())));
        }
        let after = self.delay();
        self.at(after, Event::Deliver(Box::new(envelope)));
    }

    fn delay(&mut self) -> u64 {
        let delay = self.chance.between(50, self.swarm.delay_us);
        if self.faulty && self.chance.permille(self.swarm.stragglers) {
            self.count("messages late", 1);
            return delay * 100;
        }
        delay
    }

    /// Changes who hears whom.
    pub(crate) fn partition(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.partitions_ms, Event::Partition);
        let size = self.sites.len();
        for row in &mut self.cut {
            row.fill(false);
        }
        let one = usize::try_from(self.chance.between(0, size as u64)).expect("few");
        match self.chance.between(0, 5) {
            0 => return, // all hear all
            1 => {
                self.count("one cut off", 1);
                for other in 0..size {
                    self.cut[one][other] = other != one;
                    self.cut[other][one] = other != one;
                }
            }
            2 => {
                self.count("one that is not heard", 1);
                for other in 0..size {
                    self.cut[one][other] = other != one;
                }
            }
            3 => {
                self.count("splits", 1);
                let side: Vec<bool> = (0..size).map(|_| self.chance.permille(500)).collect();
                for (from, here) in side.iter().enumerate() {
                    for (to, there) in side.iter().enumerate() {
                        self.cut[from][to] = here != there;
                    }
                }
            }
            _ => {
                self.count("links cut one way", 1);
                for from in 0..size {
                    for to in 0..size {
                        self.cut[from][to] = from != to && self.chance.permille(300);
                    }
                }
            }
        }
    }

    fn someone(&mut self) -> usize {
        let leader = self.a_leader();
        match leader {
            Some(leader) if self.chance.permille(400) => leader,
            _ => usize::try_from(self.chance.between(0, self.sites.len() as u64)).expect("few"),
        }
    }

    /// Ends a process; some of what it had not synced may have reached the disk.
    pub(crate) fn crash(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.crashes_ms, Event::Crash);
        let everyone = self.chance.permille(50);
        let one = self.someone();
        for site in 0..self.sites.len() {
            if site == one || everyone {
                self.crash_one(site);
            }
        }
    }

    fn crash_one(&mut self, site: usize) {
        if self.sites[site].replica.take().is_none() {
            return;
        }
        self.count("crashes", 1);
        self.note(|| format!("{} crashes", site + 1));
        let unsynced = self.sites[site].disk.unsynced();
        let survivors = self.chance.between(0, unsynced + 1);
        self.sites[site].disk.crash(survivors);
        self.sites[site].start += 1;
        self.sites[site].paused_until = 0;
        if self.chance.permille(self.swarm.damage) {
            self.damage(site);
        }
        let long = self.chance.permille(200);
        let after = self
            .chance
            .between(1_000, if long { 20_000_000 } else { 1_000_000 });
        self.at(after, Event::Restart { site });
    }

    /// A process stands still for a while.
    pub(crate) fn pause(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.pauses_ms, Event::Pause);
        let site = self.someone();
        self.count("pauses", 1);
        self.sites[site].paused_until = self.time + self.chance.between(1_000, 5_000_000);
    }

    /// How many members may be without what they knew.
    fn spare(&self) -> u64 {
        let Some(config) = self.config() else {
            return 0;
        };
        let quorum = config.electing().max(config.accepting());
        (config.members().len() - quorum) as u64
    }

    fn config(&self) -> Option<Config> {
        self.checker.config.clone().or_else(|| {
            let mut durables = self.sites.iter().map(|site| &site.disk.durable);
            durables.find_map(|durable| durable.configs().latest().cloned())
        })
    }

    fn may_damage(&self) -> bool {
        self.begun && self.faulty && self.time > self.change_until
    }

    /// Whether `site` may lose these positions.
    fn may_lose(&self, site: usize, span: Span) -> bool {
        let others = self
            .sites
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != site);
        let impaired = others.filter(|(_, other)| {
            let overlaps = |had: &Span| had.first <= span.last && span.first <= had.last;
            other.forgot.is_some() || other.damage().any(overlaps)
        });
        self.may_damage() && (impaired.count() as u64) < self.spare()
    }

    /// The disk of a process that ended loses something.
    fn damage(&mut self, site: usize) {
        let everything = Span::new(Position::FIRST, Position::MAX);
        let durable = &self.sites[site].disk.durable;
        let (begin, end) = (durable.begin(), durable.end());
        match self.chance.between(0, 6) {
            0 if self.may_lose(site, everything) => {
                self.note(|| format!("{} is wiped", site + 1));
                self.count("disks wiped", 1);
                self.sites[site].forgot = Some(self.sites[site].disk.durable.life());
                self.sites[site].disk = super::disk::Disk::default();
            }
            1 if self.may_lose(site, everything) => {
                self.note(|| format!("{} forgets its promises", site + 1));
                self.count("promises lost", 1);
                self.sites[site].disk.durable.damaged(Damage::Promise);
                self.sites[site].forgot = Some(self.sites[site].disk.durable.life());
            }
            2 => {
                let first = Position(self.chance.between(begin.0, end.0 + 2));
                self.lose("tails lost", site, Span::new(first, Position::MAX));
            }
            _ => self.lose_a_few(site),
        }
    }

    fn lose_a_few(&mut self, site: usize) {
        let durable = &self.sites[site].disk.durable;
        let (begin, end) = (durable.begin(), durable.end());
        let late = self.chance.permille(700);
        let low = if late {
            Position(end.0.saturating_sub(4)).max(begin)
        } else {
            begin
        };
        let first = Position(self.chance.between(low.0, end.0 + 1));
        let last = first.plus(self.chance.between(0, 4).saturating_sub(2));
        self.lose("entries lost", site, Span::new(first, last));
    }

    fn lose(&mut self, kind: &'static str, site: usize, span: Span) {
        if self.may_lose(site, span) {
            self.count(kind, 1);
            self.note(|| format!("{} loses {span:?}", site + 1));
            self.sites[site].disk.lose(vec![span]);
        }
    }

    /// A running replica finds that its disk lost something.
    pub(crate) fn rot(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.rot_ms, Event::Rot);
        let site = self.someone();
        let Some(replica) = &self.sites[site].replica else {
            return;
        };
        if self.sites[site].disk.durable.status() != Status::Voting {
            return;
        }
        let (begin, end) = (replica.begin(), self.sites[site].disk.durable.end());
        let first = Position(self.chance.between(begin.0, end.0 + 1));
        let span = Span::new(first, first.plus(self.chance.between(0, 3)));
        if span.last <= end && self.may_lose(site, span) {
            self.count("entries found damaged", 1);
            self.sites[site].disk.lose(vec![span]);
            self.step(site, Input::Damaged(Damage::Entries(vec![span])));
        }
    }

    /// Somebody changes who votes.
    pub(crate) fn change(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.changes_ms, Event::Change);
        let (Some(leader), Some(config)) = (self.a_leader(), self.config()) else {
            return;
        };
        let impaired = |site: &Site| site.forgot.is_some() || site.damage().next().is_some();
        if self.sites.iter().any(impaired) || self.time <= self.change_until {
            return; // a smaller quorum may not be able to do without what is lost now
        }
        let members: Vec<NodeId> = config.members().iter().map(|member| member.node).collect();
        let all = self.sites.iter().map(|site| site.node);
        let outside: Vec<NodeId> = all.filter(|node| !members.contains(node)).collect();
        let change = match self.chance.between(0, 3) {
            0 if !outside.is_empty() => Change::Add(self.chance.pick(&outside)),
            1 if members.len() > 2 => Change::Remove(self.chance.pick(&members)),
            2 if !outside.is_empty() => Change::Replace {
                old: self.chance.pick(&members),
                new: self.chance.pick(&outside),
            },
            _ => return,
        };
        self.count("changes of the members asked for", 1);
        self.change_until = self.time + 40_000_000;
        let ticket = self.checker.ticket();
        self.step(leader, Input::Change { ticket, change });
    }

    /// Somebody stands for election, or resigns, for no reason.
    pub(crate) fn unrest(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.unrest_ms, Event::Unrest);
        let site = self.someone();
        if self.sites[site].paused_until > self.time {
            return;
        }
        self.count("elections nobody needs", 1);
        let input = if self.chance.permille(300) {
            Input::Resign
        } else {
            Input::Campaign
        };
        self.step(site, input);
    }

    /// A disk is full for a while.
    pub(crate) fn fill(&mut self) {
        if !self.faulty {
            return;
        }
        self.at_about(self.swarm.full_ms, Event::Fill);
        let site = self.someone();
        self.count("disks full", 1);
        self.step(site, Input::Space(Space::Full));
        let (after, start) = (
            self.chance.between(1_000, 5_000_000),
            self.sites[site].start,
        );
        self.at(after, Event::Emptied { site, start });
    }

    pub(crate) fn emptied(&mut self, site: usize, start: u32) {
        if self.sites[site].start == start {
            self.step(site, Input::Space(Space::Available));
        }
    }

    /// Ends the faults. As many members as a quorum can do without may stay away for good.
    pub(crate) fn heal(&mut self) {
        self.faulty = false;
        for row in &mut self.cut {
            row.fill(false);
        }
        self.retire_some();
        for site in 0..self.sites.len() {
            self.sites[site].paused_until = 0;
            self.restart(site);
            self.step(site, Input::Space(Space::Available));
        }
    }

    fn retire_some(&mut self) {
        let Some(config) = self.config() else { return };
        if self.time <= self.change_until || self.chance.permille(500) {
            return;
        }
        let impaired = self
            .sites
            .iter()
            .filter(|site| site.forgot.is_some() || site.damage().next().is_some());
        let mut spare = self.spare().saturating_sub(impaired.count() as u64);
        for site in 0..self.sites.len() {
            let candidate = &self.sites[site];
            let well = candidate.forgot.is_none() && candidate.damage().next().is_none();
            if spare > 0 && well && config.has(candidate.member()) && self.chance.permille(500) {
                self.count("members gone for good", 1);
                self.sites[site].retired = true;
                self.sites[site].replica = None;
                self.sites[site].start += 1;
                spare -= 1;
            }
        }
    }

    /// Whether everybody who is there votes if it should, knows all, and somebody serves.
    pub(crate) fn has_converged(&self) -> bool {
        let Some(config) = self.config() else {
            return false;
        };
        let mut running = self.sites.iter().filter(|site| !site.retired);
        let last = self.checker.last;
        let leads = self.sites.iter().filter_map(|site| site.replica.as_ref());
        let served = leads
            .filter(|replica| replica.leader() == Some(replica.member().node))
            .count();
        served == 1
            && self.checker.acknowledged.0 + 16 > last.0
            && running.all(|site| {
                let Some(replica) = &site.replica else {
                    return false;
                };
                let votes = config.life(site.node).is_none() || site.is_well();
                votes && replica.commit().0 + 16 > last.0 && replica.damage().is_empty()
            })
    }

    /// Where everybody is, for whoever looks at a run that stands still.
    pub(crate) fn progress(&self) -> String {
        let sites = self.sites.iter().map(|site| match &site.replica {
            None => format!("{}: down", site.node),
            Some(replica) => format!(
                "{}: {:?} life {} promised {} commit {} end {} leader {:?} damage {:?} epoch {:?}",
                site.node,
                replica.status(),
                replica.member().life,
                replica.promise(),
                replica.commit(),
                replica.end(),
                replica.leader(),
                replica.damage(),
                replica.config().map(Config::epoch),
            ),
        });
        let sites: Vec<String> = sites.collect();
        format!(
            "acknowledged {}; {}",
            self.checker.acknowledged,
            sites.join("; ")
        )
    }
}

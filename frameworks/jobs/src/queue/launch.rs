//! Offers: filled with what waits, fairly between users.

use std::collections::{BTreeSet, HashSet};

use sdk::placement::{Fleet, Preference};
use sdk::{Calls, Task};
use types::{Filters, Offer, Resources, Uri};

use super::Queue;
use super::share::Amounts;
use crate::ids::RunId;
use crate::job::{Active, Place, RunState};
use crate::spec::{Command, Spec};

/// Most tasks launched on one offer, and most bytes of commands and variables among them, so that
/// they fit one letter: more go on the next one.
const LAUNCHES_MAX: usize = 2_000;
const LETTER_MAX: usize = 4 << 20;

impl Queue {
    /// Launches on an offer what fits, each time for the user with the least share.
    pub(super) fn fill(&mut self, offer: &Offer, calls: &mut Calls) {
        let total = match self.agents.is_empty() {
            true => Amounts::of(&offer.resources),
            false => self.agents.total(),
        };
        let (mut left, mut full) = (offer.resources.clone(), false);
        let by_share = |user: &str| (self.shares.share_ppm(user, total), user.to_owned());
        let mut turns: BTreeSet<(u64, String)> = self.pending.users().map(by_share).collect();
        let (mut misses, mut tasks, mut bytes) = (HashSet::new(), Vec::new(), 0);
        while let Some((_, user)) = turns.pop_first() {
            let mut found = None;
            let fits = |run: RunId| {
                found = self.room(run, offer, &left);
                found.is_some()
            };
            let run = self.pending.next(&user, &mut misses, fits);
            let Some((run, used)) = run.zip(found) else {
                continue; // nothing of this user's fits what is left
            };
            left -= &used;
            bytes += self.jobs.get(&run.job).map_or(0, |job| job.spec.bytes());
            tasks.extend(self.launch(run, used, offer, calls));
            turns.insert((self.shares.share_ppm(&user, total), user));
            full = tasks.len() >= LAUNCHES_MAX || bytes >= LETTER_MAX;
            if full {
                break;
            }
        }
        // What is left fits nothing that waits; what is freed makes it another offer.
        let filters = match full {
            true => Filters::NONE,
            false => Filters::default(),
        };
        calls.accept_with_filters(offer, tasks, filters);
    }

    /// What of the offer's resources a run would use, if it may run there.
    fn room(&self, run: RunId, offer: &Offer, left: &Resources) -> Option<Resources> {
        let spec = &self.jobs.get(&run.job)?.spec;
        let mut used = left.find(&spec.need, &offer.role)?;
        if spec.ports > 0 {
            let mut rest = left - &used;
            used += rest.take_ports(spec.ports.into())?;
        }
        if !spec.constraints.is_empty() {
            let offered = Offer {
                resources: left.clone(),
                ..offer.clone()
            };
            let alone = Fleet::default();
            let fleet = self.fleets.get(&run.job).unwrap_or(&alone);
            let constraints = &spec.constraints;
            let placed = fleet.place(&[offered], &used, constraints, Preference::First);
            placed.ok()?;
        }
        Some(used)
    }

    fn launch(
        &mut self,
        id: RunId,
        used: Resources,
        offer: &Offer,
        calls: &mut Calls,
    ) -> Option<Task> {
        let spec = self.jobs.get(&id.job)?.spec.clone();
        if !self.pending.remove(&spec, id) {
            return None;
        }
        let task = self.task(id, &spec, &used)?;
        self.shares.add(&spec.user, Amounts::of(&used));
        if !spec.constraints.is_empty() {
            let fleet = self.fleets.entry(id.job).or_default();
            fleet.add(id.place.to_string(), offer);
        }
        self.active += 1;
        let job = self.jobs.get_mut(&id.job)?;
        job.active += 1;
        let run = job.runs.get_mut(id.place as usize)?;
        run.state = RunState::Active(Box::new(Active {
            place: Place {
                agent_id: offer.agent_id.clone(),
                hostname: offer.hostname.clone(),
                address: offer.agent_address.clone(),
            },
            used,
            launched_ms: calls.now_ms(),
            started_ms: None,
            killing: false,
            unseen_ms: None,
        }));
        self.store(id, calls);
        Some(task)
    }

    fn task(&self, id: RunId, spec: &Spec, used: &Resources) -> Option<Task> {
        let attempt = self.run(id)?.attempt;
        let task = match &spec.command {
            Command::Shell(line) => Task::command(line, used),
            Command::Argv(words) => Task::new(used).argv(words.iter().cloned()),
        };
        let mut task = task.id(id.task_id(attempt)).name(spec.title());
        let app = self.apps.get(&spec.app);
        let env = app
            .map(|app| &app.env)
            .into_iter()
            .flatten()
            .chain(&spec.env);
        for (name, value) in env {
            task = task.env(name, value);
        }
        task = task.env("TEPUI_JOB_ID", id.job.to_string());
        task = task.env("TEPUI_JOB_ATTEMPT", attempt.to_string());
        if let Some(index) = spec.index(id.place) {
            task = task.env("TEPUI_JOB_INDEX", index.to_string());
        }
        for (number, port) in used.total_ports().numbers().enumerate() {
            task = task.env(format!("PORT{number}"), port.to_string());
        }
        let files = app
            .map(|app| &app.files)
            .into_iter()
            .flatten()
            .chain(&spec.files);
        for file in files {
            let value = file.clone();
            task = task.uri(Uri {
                value,
                extract: true,
                ..Uri::default()
            });
        }
        let run_as = spec
            .run_as
            .as_ref()
            .or(app.and_then(|app| app.run_as.as_ref()));
        if let Some(user) = run_as {
            task = task.user(user);
        }
        if let Some(timeout) = spec.timeout {
            task = task.max_completion_time(timeout);
        }
        Some(task)
    }
}

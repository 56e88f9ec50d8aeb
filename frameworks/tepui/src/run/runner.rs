//! The framework: launches its command as many times as asked, once each, and tells what happens.

use std::net::SocketAddr;
use std::ops::Range;

use sdk::{Calls, Framework, Interrupt, Subscribed, TaskUpdate};
use tokio::sync::mpsc::UnboundedSender;
use types::{CommandInfo, FrameworkId, Offer, Resources, Role, TaskId};

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// What tasks are called; their ids begin with it.
    pub(crate) name: String,
    /// What each runs.
    pub(crate) command: CommandInfo,
    /// What each needs.
    pub(crate) need: Resources,
    /// How long each may take; without end if none.
    pub(crate) max_completion_time: Option<std::time::Duration>,
    /// How many.
    pub(crate) instances: usize,
    /// Tells this run from others of the same name.
    pub(crate) mark: String,
}

impl Work {
    /// The id of an instance.
    ///
    /// # Panics
    /// When the name was no part of an id, which is checked before.
    pub(crate) fn task_id(&self, instance: usize) -> TaskId {
        let (name, mark) = (&self.name, &self.mark);
        let text = match self.instances {
            1 => format!("{name}-{mark}"),
            _ => format!("{name}-{mark}-{}", instance + 1),
        };
        TaskId::new(text).expect("the name was checked")
    }

    /// The instance of an id.
    fn instance(&self, task_id: &TaskId) -> Option<usize> {
        let rest = task_id
            .as_str()
            .strip_prefix(&self.name)?
            .strip_prefix('-')?;
        match rest.strip_prefix(&self.mark)? {
            "" => Some(0),
            number => number
                .strip_prefix('-')?
                .parse::<usize>()
                .ok()?
                .checked_sub(1),
        }
    }
}

/// What happens, told to whoever shows it.
#[derive(Debug)]
pub(crate) enum Event {
    /// The master took the framework in.
    Subscribed,
    /// The master is lost; the session looks for it.
    Disconnected,
    /// These instances were launched on the agent at this address.
    Launched {
        instances: Range<usize>,
        framework_id: FrameworkId,
        agent: SocketAddr,
    },
    /// News of an instance.
    Updated {
        instance: usize,
        status: Box<TaskUpdate>,
    },
}

/// The framework.
pub(crate) struct Runner {
    work: Work,
    role: Role,
    events: UnboundedSender<Event>,
    framework_id: Option<FrameworkId>,
    /// How many instances were launched: always the first ones.
    launched: usize,
    /// Which of those have ended.
    ended: Vec<bool>,
}

impl Runner {
    /// A framework that tells `events` what happens.
    pub(crate) fn new(work: Work, role: Role, events: UnboundedSender<Event>) -> Runner {
        Runner {
            work,
            role,
            events,
            framework_id: None,
            launched: 0,
            ended: Vec::new(),
        }
    }

    /// Ends what runs, and launches nothing more.
    pub(crate) fn cancel(&mut self, calls: &mut Calls) {
        self.work.instances = self.launched;
        calls.suppress();
        for (instance, _) in self.ended.iter().enumerate().filter(|(_, ended)| !**ended) {
            calls.kill(&self.work.task_id(instance));
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens when the program is on its way out.
        let _ = self.events.send(event);
    }

    fn task(&self, instance: usize, resources: &Resources) -> sdk::Task {
        let Work {
            name,
            command,
            max_completion_time,
            ..
        } = &self.work;
        let mut task = match command.shell {
            true => sdk::Task::command(&command.value, resources),
            false => sdk::Task::new(resources).argv(command.arguments.iter().cloned()),
        };
        for (name, value) in &command.environment.0 {
            task = task.env(name, value);
        }
        if let Some(user) = &command.user {
            task = task.user(user);
        }
        if let Some(time) = max_completion_time {
            task = task.max_completion_time(*time);
        }
        task.id(self.work.task_id(instance)).name(name)
    }

    /// Uses as much of an offer as there is to run.
    fn use_offer(&mut self, offer: &Offer, calls: &mut Calls) {
        let first = self.launched;
        let mut left = offer.resources.non_revocable();
        let mut tasks = Vec::new();
        while first + tasks.len() < self.work.instances {
            let Some(found) = left.find(&self.work.need, &self.role) else {
                break;
            };
            left -= &found;
            tasks.push(self.task(first + tasks.len(), &found));
        }
        let (framework_id, agent) = (self.framework_id.clone(), offer.agent_address.parse());
        let (Some(framework_id), Ok(agent)) = (framework_id, agent) else {
            return calls.decline(offer);
        };
        let count = tasks.len();
        calls.accept(offer, tasks);
        if count == 0 {
            return;
        }
        self.launched += count;
        self.ended.resize(self.launched, false);
        let instances = first..self.launched;
        self.tell(Event::Launched {
            instances,
            framework_id,
            agent,
        });
    }
}

impl Framework for Runner {
    fn on_subscribed(&mut self, subscribed: Subscribed, _: &mut Calls) {
        self.framework_id = Some(subscribed.framework_id);
        self.tell(Event::Subscribed);
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let before = self.launched;
        for offer in &offers {
            self.use_offer(offer, calls);
        }
        if self.launched == self.work.instances && before < self.launched {
            calls.suppress();
        }
    }

    fn on_update(&mut self, update: TaskUpdate, _: &mut Calls) {
        let known = self
            .work
            .instance(&update.task_id)
            .filter(|one| *one < self.launched);
        let Some(instance) = known else { return };
        self.ended[instance] |= update.state.is_terminal();
        self.tell(Event::Updated {
            instance,
            status: Box::new(update),
        });
    }

    fn on_disconnected(&mut self, _: &mut Calls) {
        self.tell(Event::Disconnected);
    }

    fn on_interrupted(&mut self, _: Interrupt, calls: &mut Calls) {
        self.cancel(calls);
    }
}

#[cfg(test)]
mod tests {
    use sdk::Call;
    use tokio::sync::mpsc;

    use super::*;

    fn runner(instances: usize) -> (Runner, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let work = Work {
            name: "job".into(),
            command: CommandInfo::shell("true"),
            need: Resources::new().cpus(1.0),
            max_completion_time: None,
            instances,
            mark: "1f".into(),
        };
        let mut runner = Runner::new(work, Role::any(), sender);
        runner.framework_id = Some(FrameworkId::new("f").unwrap());
        (runner, receiver)
    }

    fn offer(cpus: f64) -> Offer {
        sdk::testing::offer("agent", Resources::new().cpus(cpus))
    }

    fn ids(call: &Call) -> Vec<String> {
        call.tasks().map(|task| task.task_id.to_string()).collect()
    }

    #[test]
    fn a_single_instance_is_launched_once_and_then_no_more_is_wanted() {
        let (mut runner, _events) = runner(1);
        let mut calls = Calls::default();
        runner.on_offers(vec![offer(4.0), offer(4.0)], &mut calls);
        let called = calls.take();
        assert_eq!(ids(&called[0]), ["job-1f"]);
        assert!(
            matches!(called[1..], [Call::Decline { .. }, Call::Suppress { .. }]),
            "{called:?}"
        );
    }

    #[test]
    fn instances_go_wherever_there_is_room() {
        let (mut runner, mut events) = runner(5);
        let mut calls = Calls::default();
        runner.on_offers(vec![offer(2.0), offer(1.5)], &mut calls);
        let called = calls.take();
        assert_eq!(ids(&called[0]), ["job-1f-1", "job-1f-2"]);
        assert_eq!(ids(&called[1]), ["job-1f-3"]);
        assert_eq!(called.len(), 2);
        for expected in [0..2, 2..3] {
            let event = events.try_recv().unwrap();
            assert!(matches!(event, Event::Launched { instances, .. } if instances == expected));
        }
    }

    #[test]
    fn an_instance_is_found_by_its_id() {
        for instances in [1, 20] {
            let (Runner { work, .. }, _events) = runner(instances);
            let found = (0..instances).map(|one| work.instance(&work.task_id(one)));
            assert_eq!(
                found.collect::<Option<Vec<_>>>(),
                Some((0..instances).collect())
            );
            assert_eq!(work.instance(&TaskId::new("job-2").unwrap()), None);
        }
    }

    #[test]
    fn an_offer_that_is_too_small_is_declined() {
        let (mut runner, _events) = runner(1);
        let mut calls = Calls::default();
        runner.on_offers(vec![offer(0.5)], &mut calls);
        assert!(matches!(calls.take()[..], [Call::Decline { .. }]));
    }

    #[test]
    fn cancelling_ends_what_runs_and_launches_nothing_more() {
        let (mut runner, _events) = runner(3);
        let mut calls = Calls::default();
        runner.on_offers(vec![offer(2.0)], &mut calls);
        calls.take();
        runner.ended[0] = true;
        runner.cancel(&mut calls);
        let called = calls.take();
        let killed = |call: &Call| matches!(call, Call::Kill { task_id, .. } if task_id.as_str() == "job-1f-2");
        assert!(called.len() == 2 && killed(&called[1]), "{called:?}");
        runner.on_offers(vec![offer(2.0)], &mut calls);
        assert!(matches!(calls.take()[..], [Call::Decline { .. }]));
    }
}

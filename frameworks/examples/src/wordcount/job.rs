//! The framework: which steps run, which come again, when it is over.

use std::collections::BTreeMap;

use sdk::prelude::*;

use super::step::{Step, WorkDir};
use crate::progress::Progress;

/// How often a step that failed is tried again.
pub(crate) const RETRIES: u32 = 3;

/// A word count on a cluster. Reduces begin when all maps are done.
pub(crate) struct Job {
    /// What tasks run, before `--step` and the description of their step.
    program: Vec<String>,
    work: WorkDir,
    need: Resources,
    steps: Vec<Entry>,
    /// The steps that run, by their tasks. A task that is not here is of the past.
    tasks: BTreeMap<TaskId, usize>,
    /// Whether offers are wanted.
    wanting: bool,
    progress: Progress,
}

struct Entry {
    name: String,
    is_map: bool,
    state: State,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Launched,
    Done,
}

impl Job {
    /// A job of these steps, whose descriptions lie in `work`.
    pub(crate) fn new(
        program: Vec<String>,
        work: WorkDir,
        need: Resources,
        steps: &[Step],
        progress: Progress,
    ) -> Job {
        let entry = |step: &Step| Entry {
            name: step.name(),
            is_map: matches!(step, Step::Map { .. }),
            state: State::Waiting,
            failures: 0,
        };
        let steps = steps.iter().map(entry).collect();
        let tasks = BTreeMap::new();
        Job {
            program,
            work,
            need,
            steps,
            tasks,
            wanting: true,
            progress,
        }
    }

    /// The steps that may be launched.
    fn ready(&self) -> impl Iterator<Item = usize> {
        let mapping = self
            .steps
            .iter()
            .any(|step| step.is_map && step.state != State::Done);
        let ready = move |step: &Entry| step.state == State::Waiting && step.is_map == mapping;
        let steps = self.steps.iter().enumerate();
        steps
            .filter(move |(_, step)| ready(step))
            .map(|(index, _)| index)
    }

    fn task(&self, index: usize) -> Task {
        let step = &self.steps[index];
        let file = self.work.step(&step.name).display().to_string();
        let words = self
            .program
            .iter()
            .cloned()
            .chain(["--step".to_owned(), file]);
        Task::new(&self.need).argv(words).name(&*step.name)
    }

    /// Wants offers while there is something to launch, and leaves them to others while not.
    fn want(&mut self, calls: &mut Calls) {
        let ready = self.ready().next().is_some();
        match (self.wanting, ready) {
            (false, true) => calls.revive(),
            (true, false) => calls.suppress(),
            (true, true) | (false, false) => {}
        }
        self.wanting = ready;
    }

    fn report(&mut self) {
        let done = |maps: bool| {
            let steps = self.steps.iter().filter(|step| step.is_map == maps);
            let done = steps
                .clone()
                .filter(|step| step.state == State::Done)
                .count();
            (done, steps.count())
        };
        let ((mapped, maps), (reduced, reduces)) = (done(true), done(false));
        let message = format!("maps {mapped}/{maps}, reduces {reduced}/{reduces}");
        self.progress.update((mapped + reduced) as u64, message);
    }

    /// The step of a task that ended otherwise than well comes again, within its budget.
    fn again(&mut self, index: usize, update: &TaskUpdate, calls: &mut Calls) {
        let step = &mut self.steps[index];
        step.state = State::Waiting;
        let reason = update.message.as_deref().unwrap_or("no reason given");
        let (name, task_id, state) = (&step.name, &update.task_id, update.state);
        let its_own = matches!(
            state,
            TaskState::Failed | TaskState::Error | TaskState::Killed
        );
        // What the cluster lost is not the fault of the step.
        step.failures += u32::from(its_own);
        if step.failures > RETRIES {
            return calls.fail(format!(
                "{name} failed {} times, the last time as {task_id}: {state}: {reason}",
                step.failures
            ));
        }
        self.progress
            .note(&format!("{name} comes again: {task_id}: {state}: {reason}"));
    }
}

impl Framework for Job {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            let count = offer.resources.count(&self.need) as usize;
            let steps: Vec<_> = self.ready().take(count).collect();
            let tasks: Vec<_> = steps.iter().map(|index| self.task(*index)).collect();
            let ids = calls.accept(&offer, tasks);
            for (index, id) in steps.into_iter().zip(ids) {
                self.steps[index].state = State::Launched;
                self.tasks.insert(id, index);
            }
        }
        self.want(calls);
        self.report();
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let over = update.state.is_terminal() || update.state == TaskState::Unreachable;
        if !over {
            return;
        }
        let Some(index) = self.tasks.remove(&update.task_id) else {
            return;
        };
        match update.state {
            TaskState::Finished => self.steps[index].state = State::Done,
            TaskState::Unreachable => {
                // It may go on behind the partition, and does no harm there: its files are the
                // same. Nobody waits for it.
                calls.kill(&update.task_id);
                self.again(index, &update, calls);
            }
            _ => self.again(index, &update, calls),
        }
        self.report();
        if self.steps.iter().all(|step| step.state == State::Done) {
            self.progress.finish();
            return calls.stop();
        }
        self.want(calls);
    }

    fn on_disconnected(&mut self, _: &mut Calls) {
        self.progress
            .note("the master is lost; tasks go on, looking for it");
    }
}

#[cfg(test)]
mod tests {
    use sdk::testing::{offer, update};

    use super::*;

    fn job(maps: u32, reduces: u32) -> (Job, Calls) {
        let map = |number| Step::Map {
            number,
            pieces: vec![],
            reduces,
        };
        let reduce = |number| Step::Reduce { number, maps };
        let steps: Vec<_> = (0..maps).map(map).chain((0..reduces).map(reduce)).collect();
        let program = vec!["/bin/count".to_owned(), "words".to_owned()];
        let work = WorkDir("/out".into());
        let need = Resources::new().cpus(1.0);
        (
            Job::new(program, work, need, &steps, Progress::Silent),
            Calls::default(),
        )
    }

    fn offered(job: &mut Job, calls: &mut Calls, cpus: f64) -> Vec<TaskInfo> {
        job.on_offers(vec![offer("a", Resources::new().cpus(cpus))], calls);
        calls.take().iter().flat_map(Call::tasks).cloned().collect()
    }

    #[test]
    fn reduces_begin_when_all_maps_are_done() {
        let (mut job, mut calls) = job(2, 1);
        let maps = offered(&mut job, &mut calls, 9.0);
        assert_eq!(
            maps.iter().map(|task| &*task.name).collect::<Vec<_>>(),
            ["map-0", "map-1"]
        );
        assert_eq!(offered(&mut job, &mut calls, 9.0), []);
        job.on_update(update(&maps[1].task_id, TaskState::Finished), &mut calls);
        assert_eq!(calls.take(), []);
        job.on_update(update(&maps[0].task_id, TaskState::Finished), &mut calls);
        assert_eq!(calls.take(), [Call::Revive { roles: vec![] }]);
        let reduces = offered(&mut job, &mut calls, 9.0);
        assert_eq!(reduces[0].name, "reduce-0");
        job.on_update(update(&reduces[0].task_id, TaskState::Finished), &mut calls);
        assert_eq!(calls.take(), [Call::Stop(Stop::Done(ExitCode::SUCCESS))]);
    }

    #[test]
    fn a_task_is_the_program_with_its_step() {
        let (mut job, mut calls) = job(1, 1);
        let command = offered(&mut job, &mut calls, 1.0)
            .remove(0)
            .command
            .unwrap();
        let words = ["/bin/count", "words", "--step", "/out/steps/map-0.json"];
        assert_eq!(
            (command.shell, command.arguments),
            (false, words.map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn offers_are_wanted_while_there_is_something_to_launch() {
        let (mut job, mut calls) = job(2, 1);
        job.on_offers(vec![offer("a", Resources::new().cpus(1.0))], &mut calls);
        assert!(matches!(calls.take()[..], [Call::Accept { .. }]));
        job.on_offers(vec![offer("a", Resources::new().cpus(1.0))], &mut calls);
        assert!(matches!(
            calls.take()[..],
            [Call::Accept { .. }, Call::Suppress { .. }]
        ));
    }

    #[test]
    fn a_step_has_a_budget_of_failures_and_none_of_losses() {
        let (mut job, mut calls) = job(1, 1);
        for state in [TaskState::Gone, TaskState::Dropped, TaskState::Unreachable] {
            let task = offered(&mut job, &mut calls, 1.0).remove(0);
            job.on_update(update(&task.task_id, state), &mut calls);
            assert!(
                !calls
                    .take()
                    .iter()
                    .any(|call| matches!(call, Call::Stop(_)))
            );
        }
        for _ in 0..RETRIES {
            let task = offered(&mut job, &mut calls, 1.0).remove(0);
            job.on_update(update(&task.task_id, TaskState::Failed), &mut calls);
            assert_eq!(calls.take(), [Call::Revive { roles: vec![] }]);
        }
        let task = offered(&mut job, &mut calls, 1.0).remove(0);
        job.on_update(update(&task.task_id, TaskState::Failed), &mut calls);
        assert!(matches!(&calls.take()[0], Call::Stop(Stop::Failed(why)) if why.contains("map-0")));
    }

    #[test]
    fn a_task_of_the_past_changes_nothing() {
        let (mut job, mut calls) = job(1, 1);
        let task = offered(&mut job, &mut calls, 1.0).remove(0);
        job.on_update(update(&task.task_id, TaskState::Unreachable), &mut calls);
        assert!(matches!(
            calls.take()[..],
            [Call::Kill { .. }, Call::Revive { .. }]
        ));
        job.on_update(update(&task.task_id, TaskState::Finished), &mut calls);
        assert_eq!(calls.take(), []);
    }
}

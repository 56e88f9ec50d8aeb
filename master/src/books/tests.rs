//! The books under any sequence of events: they always agree.

use std::collections::BTreeSet;

use api::master::FrameworkState;
use proptest::prelude::*;
use types::{AgentInfo, CommandInfo, ExecutorId, ExecutorInfo, FrameworkInfo, Offer, Reason};
use types::{Resources, Role, Source, Task, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId};

use super::*;
use crate::status::Word;

/// Few of everything, so that events meet.
const AGENTS: u8 = 3;
const FRAMEWORKS: u8 = 3;
const TASKS: u8 = 4;

fn books() -> Books {
    Books::new(Limits {
        completed_frameworks: 2,
        completed_tasks: 3,
        unreachable_tasks: 2,
        removed_agents: 2,
    })
}

fn word(state: TaskState) -> Word {
    Word {
        state,
        reason: Reason::AgentRemoved,
        message: "",
        at_ms: 1,
    }
}

fn agent_id(n: u8) -> AgentId {
    format!("a{}", n % AGENTS).parse().unwrap()
}

fn framework_id(n: u8) -> FrameworkId {
    format!("f{}", n % FRAMEWORKS).parse().unwrap()
}

fn task_id(n: u8) -> TaskId {
    format!("t{}", n % TASKS).parse().unwrap()
}

fn executor_info(n: u8, framework: &FrameworkId) -> ExecutorInfo {
    let id = ExecutorId::new(format!("e{}", n % 2)).unwrap();
    let mut info = ExecutorInfo::custom(id, CommandInfo::shell("run"));
    info.framework_id = Some(framework.clone());
    info.resources = Resources::new().cpus(0.5);
    info
}

fn task(framework: u8, agent: u8, n: u8, state: TaskState) -> Task {
    let info = TaskInfo::command(
        task_id(n),
        agent_id(agent),
        CommandInfo::shell("true"),
        Resources::new().cpus(1.0).ports(100..=103),
    );
    let mut task = Task::staging(&info, framework_id(framework), Role::any(), None);
    task.state = state;
    task
}

fn add_agent(books: &mut Books, n: u8, address: u8) {
    let pid: libproc::Pid<api::agent::Agenting> =
        format!("agent{address}@127.0.0.1:1").parse().unwrap();
    if books.agent(&agent_id(n)).is_some() || books.agent_at(pid.upid()).is_some() {
        return;
    }
    let resources = Resources::new().cpus(4.0).ports(100..=199);
    let info = AgentInfo::new("host", 1, resources);
    books.add_agent(Agent::new(agent_id(n), info, pid, String::new()));
}

fn connect(books: &mut Books, n: u8, address: u8) {
    let pid: libproc::Pid<api::scheduler::Scheduling> =
        format!("scheduler{address}@127.0.0.1:1").parse().unwrap();
    let id = framework_id(n);
    let taken = books.framework_at(pid.upid()).is_some_and(|f| f.id != id);
    if taken || books.is_completed(&id) {
        return;
    }
    if books.framework(&id).is_none() {
        let mut info = FrameworkInfo::new("f");
        if n.is_multiple_of(2) {
            info.capabilities.clear();
        }
        books.add_framework(Framework::new(id.clone(), info, FrameworkState::Recovered));
    }
    books.connect_framework(&id, pid);
}

fn take_offers_of(books: &mut Books, of: impl Fn(&Offer) -> bool) {
    let ids: BTreeSet<OfferId> = books
        .offers()
        .filter(|o| of(o))
        .map(|o| o.id.clone())
        .collect();
    books.take_offers(&ids);
}

fn offer(books: &mut Books, framework: u8, agent: u8, cpus: u8, number: usize) {
    let offer = Offer {
        id: format!("o{number}").parse().unwrap(),
        framework_id: framework_id(framework),
        agent_id: agent_id(agent),
        hostname: String::new(),
        role: Role::any(),
        resources: Resources::new().cpus(f64::from(cpus % 6)),
        attributes: types::Attributes::new(),
        executor_ids: vec![],
        agent_address: String::new(),
    };
    // Most offers find no room: that is what they are for.
    let _ = books.add_offer(offer);
}

fn launch(books: &mut Books, framework: u8, agent: u8, n: u8) {
    let known = books.framework(&framework_id(framework));
    let free = books.agent(&agent_id(agent)).map(Agent::free);
    let task = task(framework, agent, n, TaskState::Staging);
    if known.is_some_and(|f| !f.may_run(&task.task_id))
        && free.is_some_and(|free| free.contains(&task.resources))
    {
        books.add_task(task);
    }
}

fn update(books: &mut Books, framework: u8, agent: u8, n: u8, state: u8) {
    let states = TaskState::all();
    let state = states[usize::from(state) % states.len()];
    let id = UpdateId::from_uuid(uuid::Uuid::from_u128(u128::from(n)));
    let status = TaskStatus::new(task_id(n), state, Source::Executor, 1).acknowledged_as(id);
    books.update_task(&agent_id(agent), &framework_id(framework), &status, state);
}

fn readmit(books: &mut Books, agent: u8, seed: u8) {
    let id = agent_id(agent);
    if books.agent(&id).is_none() {
        return;
    }
    take_offers_of(books, |offer| offer.agent_id == id);
    let states = TaskState::all();
    let pick = |i: u8| seed.rotate_left(u32::from(i)) ^ i.wrapping_mul(37);
    let report = Report {
        frameworks: vec![],
        executors: vec![executor_info(seed, &framework_id(pick(5)))],
        tasks: (0..seed % 5)
            .map(|i| {
                let state = states[usize::from(pick(i)) % states.len()];
                task(pick(i), agent, pick(i + 1), state)
            })
            .collect(),
    };
    books.readmit(&id, report, 1);
}

/// One event, from four numbers.
fn happen(books: &mut Books, (what, a, b, c): (u8, u8, u8, u8), number: usize) {
    let (agent, framework) = (agent_id(a), framework_id(b));
    match what {
        0 | 1 => add_agent(books, a, b % 4),
        2 => {
            take_offers_of(books, |offer| offer.agent_id == agent);
            books.lose_agent(&agent, word(TaskState::Unreachable));
        }
        3 => {
            take_offers_of(books, |offer| offer.agent_id == agent);
            books.remove_agent(&agent, word(TaskState::Gone));
        }
        4 => {
            take_offers_of(books, |offer| offer.agent_id == agent);
            if let Some(agent) = books.agent_mut(&agent) {
                agent.connected = c.is_multiple_of(2);
            }
        }
        5 | 6 => connect(books, b, c % 4),
        7 => {
            take_offers_of(books, |offer| offer.framework_id == framework);
            books.disconnect_framework(&framework);
        }
        8 if c < 40 => {
            take_offers_of(books, |offer| offer.framework_id == framework);
            books.remove_framework(&framework, word(TaskState::Killed));
        }
        9 | 10 => offer(books, b, a, c, number),
        11 => {
            let id = books.offers().nth(usize::from(c) % 3).map(|o| o.id.clone());
            id.map(|id| books.take_offer(&id));
        }
        12 | 13 => launch(books, b, a, c),
        14 | 15 => update(books, b, a, c, c / 4),
        16 => {
            let id = UpdateId::from_uuid(uuid::Uuid::from_u128(u128::from(c)));
            books.acknowledge(&agent, &framework, &task_id(c), id);
        }
        17 => {
            let free = books
                .agent(&agent)
                .is_some_and(|a| !a.free().total_cpus().is_zero());
            if free {
                let info = executor_info(c, &framework);
                books.add_executor(&framework, &agent, info, Role::any());
            }
        }
        18 => {
            let id = executor_info(c, &framework).executor_id;
            books.remove_executor(&framework, &agent, &id);
        }
        19 => readmit(books, a, c),
        _ => books.kill_later(&framework, &task_id(c), None),
    }
}

proptest! {
    #[test]
    fn the_books_agree_whatever_happens(
        events in prop::collection::vec((0_u8..21, any::<u8>(), any::<u8>(), any::<u8>()), 1..300)
    ) {
        let mut books = books();
        for (number, event) in events.into_iter().enumerate() {
            happen(&mut books, event, number);
            books.check();
        }
    }
}

#[test]
fn nothing_is_offered_twice() {
    let mut books = books();
    add_agent(&mut books, 0, 0);
    connect(&mut books, 1, 1);
    offer(&mut books, 1, 0, 3, 1);
    offer(&mut books, 1, 0, 3, 2);
    assert_eq!(books.offers().count(), 1);
    let agent = books.agent(&agent_id(0)).unwrap();
    assert_eq!(agent.free().total_cpus().to_string(), "1");
}

#[test]
fn a_task_frees_what_it_used_once() {
    let mut books = books();
    add_agent(&mut books, 0, 0);
    connect(&mut books, 1, 1);
    launch(&mut books, 1, 0, 0);
    let (agent, framework) = (agent_id(0), framework_id(1));
    let source = Source::Executor;
    let status = TaskStatus::new(task_id(0), TaskState::Failed, source, 1);
    let mut update = || books.update_task(&agent, &framework, &status, TaskState::Failed);
    assert!(matches!(update(), Change::Ended(_)));
    assert_eq!(update(), Change::Over);
    assert!(books.agent(&agent).unwrap().used().is_empty());
}

#[test]
fn the_oldest_of_too_many_is_forgotten() {
    let mut books = books();
    connect(&mut books, 1, 1);
    for n in 0..4 {
        add_agent(&mut books, 0, 0);
        launch(&mut books, 1, 0, n);
        books.lose_agent(&agent_id(0), word(TaskState::Unreachable));
    }
    let framework = books.framework(&framework_id(1)).unwrap();
    let left: Vec<_> = framework
        .unreachable_tasks()
        .map(|e| e.task.task_id.as_str())
        .collect();
    assert_eq!(left, ["t2", "t3"]);
    books.check();
}

#[test]
fn an_address_belongs_to_whom_it_was_given_last() {
    let mut books = books();
    connect(&mut books, 1, 0);
    books.disconnect_framework(&framework_id(1));
    connect(&mut books, 2, 0);
    books.disconnect_framework(&framework_id(1));
    books.check();
    let pid = "scheduler0@127.0.0.1:1".parse().unwrap();
    let there = books
        .framework_at(&pid)
        .map(|framework| framework.id.clone());
    assert_eq!(there, Some(framework_id(2)));
}

/// Books with an agent whose task ended, of which its framework has only heard that it runs.
fn with_an_untold_end() -> Books {
    let mut books = books();
    add_agent(&mut books, 0, 0);
    connect(&mut books, 0, 0);
    books.add_task(task(0, 0, 0, TaskState::Staging));
    let running = TaskStatus::new(task_id(0), TaskState::Running, Source::Agent, 1);
    let running = running.acknowledged_as(UpdateId::random());
    books.update_task(
        &agent_id(0),
        &framework_id(0),
        &running,
        TaskState::Finished,
    );
    books
}

fn states(told: &[(FrameworkId, TaskStatus)]) -> Vec<TaskState> {
    told.iter().map(|(_, status)| status.state).collect()
}

#[test]
fn an_end_that_was_not_told_is_told_when_its_agent_is_removed() {
    let mut books = with_an_untold_end();
    let told = books.remove_agent(&agent_id(0), word(TaskState::Gone));
    assert_eq!(states(&told), [TaskState::Finished]);
}

#[test]
fn a_task_whose_end_was_not_told_is_out_of_sight_with_its_agent() {
    let mut books = with_an_untold_end();
    let told = books.lose_agent(&agent_id(0), word(TaskState::Unreachable));
    assert_eq!(states(&told), [TaskState::Lost], "it knows no better word");
    let mut books = with_an_untold_end();
    let finished = TaskStatus::new(task_id(0), TaskState::Finished, Source::Agent, 2);
    books.update_task(
        &agent_id(0),
        &framework_id(0),
        &finished,
        TaskState::Finished,
    );
    let told = books.lose_agent(&agent_id(0), word(TaskState::Unreachable));
    assert_eq!(states(&told), [], "it was told");
}

//! What operators read that may be long: GET_STATE and its parts, written part by part.
//!
//! In JSON a list is written as it is walked. In protobuf whatever lies in a message comes after the
//! length of all of it, so the lists are collected first: tasks as they lie rendered in the books,
//! agents and frameworks as bytes.

use std::borrow::Cow;

use api::v1::convert::told;
use api::v1::master::event::EventType;
use api::v1::master::response::ResponseType;
use api::v1::master::{CallBody, response};
use api::v1::{AgentInfo, Encoding, ExecutorInfo, Message};
use libproc::http::{Request, Response};
use types::ExecutorKind;

use super::page::{Clerk, LOOK, Page};
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::books::{Entry, Form, Framework};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    State,
    Tasks,
    Executors,
    Frameworks,
    Agents,
}

/// The parts of the state, by the number they have in it.
const PARTS: [(u32, Read); 4] = [
    (1, Read::Tasks),
    (2, Read::Executors),
    (3, Read::Frameworks),
    (4, Read::Agents),
];

impl Read {
    /// What a call reads, if it reads one of these.
    pub(super) fn of(call: &CallBody) -> Option<Read> {
        match call {
            CallBody::GetState => Some(Read::State),
            CallBody::GetTasks => Some(Read::Tasks),
            CallBody::GetExecutors => Some(Read::Executors),
            CallBody::GetFrameworks => Some(Read::Frameworks),
            CallBody::GetAgents => Some(Read::Agents),
            _ => None,
        }
    }

    /// The type of the answer, and its field.
    fn body(self) -> (ResponseType, u32, &'static str) {
        match self {
            Read::State => (ResponseType::GetState, 9, "get_state"),
            Read::Agents => (ResponseType::GetAgents, 10, "get_agents"),
            Read::Frameworks => (ResponseType::GetFrameworks, 11, "get_frameworks"),
            Read::Executors => (ResponseType::GetExecutors, 12, "get_executors"),
            Read::Tasks => (ResponseType::GetTasks, 13, "get_tasks"),
        }
    }

    /// Answers.
    ///
    /// # Errors
    ///
    /// When too many long pages are under way.
    pub(super) fn answer(
        self,
        clerk: &Clerk,
        request: &Request,
        encoding: Encoding,
        snapshot: Snapshot,
    ) -> Result<Response, Refusal> {
        clerk.answer(request, encoding.media_type(), |page| async move {
            match encoding {
                Encoding::Json => self.write_json(&snapshot, page).await,
                Encoding::Protobuf => self.write_protobuf(&snapshot, page).await,
            }
        })
    }

    async fn write_json(self, snapshot: &Snapshot, mut page: Page) -> Page {
        let (kind, _, name) = self.body();
        page.raw(b"{\"type\":");
        page.json(&kind.as_str());
        page.name(name);
        self.write_object(snapshot, &mut page).await;
        page.end('}');
        page
    }

    /// Writes the body alone, in JSON.
    async fn write_object(self, snapshot: &Snapshot, page: &mut Page) {
        page.raw(b"{");
        let mut lists = Lists::Json(page);
        if self == Read::State {
            for (_, part) in PARTS {
                lists.begin(part.body().2);
                part.walk(snapshot, &mut lists).await;
                lists.end();
            }
        } else {
            self.walk(snapshot, &mut lists).await;
        }
        page.end('}');
    }

    async fn write_protobuf(self, snapshot: &Snapshot, mut page: Page) -> Page {
        let (kind, field, _) = self.body();
        let body = self.gather(snapshot, &mut page).await;
        let mut head = vec![0x08];
        varint(kind.number().unsigned_abs() as usize, &mut head);
        delimited(field, body.bytes(), &mut head);
        page.raw(&head);
        body.write(&mut page).await;
        page
    }

    /// What is in the body, for protobuf.
    async fn gather<'s>(self, snapshot: &'s Snapshot, page: &mut Page) -> Gathered<'s> {
        let mut parts = Vec::new();
        if self == Read::State {
            for (number, part) in PARTS {
                parts.push((Some(number), part.collect(snapshot, page).await));
            }
        } else {
            parts.push((None, self.collect(snapshot, page).await));
        }
        Gathered(parts)
    }

    async fn collect<'s>(self, snapshot: &'s Snapshot, page: &mut Page) -> Collected<'s> {
        let mut lists = Lists::Protobuf(page, Collected::default());
        self.walk(snapshot, &mut lists).await;
        match lists {
            Lists::Protobuf(_, collected) => collected,
            Lists::Json(_) => Collected::default(),
        }
    }

    /// Walks the lists of one part of the state.
    async fn walk<'s>(self, snapshot: &'s Snapshot, lists: &mut Lists<'_, 's>) {
        match self {
            Read::State => {}
            Read::Tasks => walk_tasks(snapshot, lists).await,
            Read::Executors => walk_executors(snapshot, lists).await,
            Read::Frameworks => walk_frameworks(snapshot, lists).await,
            Read::Agents => walk_agents(snapshot, lists).await,
        }
    }
}

/// Writes the first event of those that watch: how everything is.
pub(super) async fn write_subscribed(
    snapshot: Snapshot,
    encoding: Encoding,
    heartbeat_seconds: f64,
    mut page: Page,
) -> Page {
    match encoding {
        Encoding::Json => {
            page.raw(b"{\"type\":\"SUBSCRIBED\",\"subscribed\":{\"get_state\":");
            Read::State.write_object(&snapshot, &mut page).await;
            page.field("heartbeat_interval_seconds", &heartbeat_seconds);
            page.raw(b"}}");
        }
        Encoding::Protobuf => {
            let body = Read::State.gather(&snapshot, &mut page).await;
            let mut head = Vec::new();
            delimited(1, body.bytes(), &mut head);
            // The heartbeat is a number of eight bytes behind a key of one.
            let length = head.len() + body.bytes() + 1 + 8;
            let mut event = vec![0x08, EventType::Subscribed.number() as u8];
            delimited(2, length, &mut event);
            page.raw(&event);
            page.raw(&head);
            body.write(&mut page).await;
            page.raw(&[2 << 3 | 1]);
            page.raw(&heartbeat_seconds.to_le_bytes());
        }
    }
    page
}

async fn walk_tasks<'s>(snapshot: &'s Snapshot, lists: &mut Lists<'_, 's>) {
    let books = &snapshot.books;
    lists.list("tasks");
    for entry in books.frameworks().flat_map(Framework::tasks) {
        lists.task(2, entry).await;
    }
    lists.end_list();
    lists.list("unreachable_tasks");
    for entry in books.frameworks().flat_map(Framework::unreachable_tasks) {
        lists.task(5, entry).await;
    }
    lists.end_list();
    lists.list("completed_tasks");
    let frameworks = books.frameworks().chain(books.completed_frameworks());
    for entry in frameworks.flat_map(Framework::completed_tasks) {
        lists.task(3, entry).await;
    }
    lists.end_list();
}

async fn walk_executors<'s>(snapshot: &'s Snapshot, lists: &mut Lists<'_, 's>) {
    lists.list("executors");
    let executors = snapshot.books.frameworks().flat_map(Framework::executors);
    // That of a command is not the framework's.
    let theirs = executors.filter(|(_, executor)| executor.info.kind != ExecutorKind::Command);
    for (agent, executor) in theirs {
        let message = response::Executor {
            executor_info: ExecutorInfo::from(&executor.info),
            agent_id: agent.into(),
        };
        lists.message(1, &message).await;
    }
    lists.end_list();
}

async fn walk_frameworks<'s>(snapshot: &'s Snapshot, lists: &mut Lists<'_, 's>) {
    let books = &snapshot.books;
    lists.list("frameworks");
    for framework in books.frameworks() {
        lists.work(LOOK * framework.tasks().len()).await;
        let message = snapshot.framework_message(framework);
        lists.message(1, &message).await;
    }
    lists.end_list();
    lists.list("completed_frameworks");
    for framework in books.completed_frameworks() {
        let message = snapshot.framework_message(framework);
        lists.message(2, &message).await;
    }
    lists.end_list();
}

async fn walk_agents<'s>(snapshot: &'s Snapshot, lists: &mut Lists<'_, 's>) {
    lists.list("agents");
    for agent in snapshot.books.agents() {
        if snapshot.books.aside(&agent.id).is_some() {
            lists.message(1, &snapshot.agent_message(agent)).await;
            continue;
        }
        let written = agent.rendered(lists.form(), || match lists {
            Lists::Json(_) => snapshot.agent_message(agent).to_json().into(),
            Lists::Protobuf(..) => snapshot.agent_message(agent).to_protobuf().into(),
        });
        lists.written(1, written).await;
    }
    lists.end_list();
    lists.list("recovered_agents");
    for record in snapshot.recovered.values() {
        lists.message(2, &AgentInfo::from(&record.info)).await;
    }
    lists.end_list();
}

/// Where the lists of a part of the state go.
enum Lists<'p, 's> {
    /// On the page.
    Json(&'p mut Page),
    /// Together, until their length is known.
    Protobuf(&'p mut Page, Collected<'s>),
}

/// Lists in protobuf: messages, by the number of their list.
#[derive(Default)]
struct Collected<'s> {
    items: Vec<(u32, Cow<'s, [u8]>)>,
    /// What they take, with their keys and lengths.
    bytes: usize,
}

/// The parts of a body, by the number they have in it; one that is the body has none.
struct Gathered<'s>(Vec<(Option<u32>, Collected<'s>)>);

impl Gathered<'_> {
    /// How long the body is.
    fn bytes(&self) -> usize {
        let bytes = |(number, part): &(Option<u32>, Collected<'_>)| match number {
            None => part.bytes,
            Some(_) => 1 + varint_bytes(part.bytes) + part.bytes,
        };
        self.0.iter().map(bytes).sum()
    }

    async fn write(self, page: &mut Page) {
        let mut head = Vec::new();
        for (number, part) in self.0 {
            if let Some(number) = number {
                head.clear();
                delimited(number, part.bytes, &mut head);
                page.raw(&head);
            }
            for (number, item) in part.items {
                head.clear();
                delimited(number, item.len(), &mut head);
                page.raw(&head);
                page.raw(&item);
                page.pause().await;
            }
        }
    }
}

impl<'s> Lists<'_, 's> {
    fn begin(&mut self, name: &str) {
        if let Lists::Json(page) = self {
            page.name(name);
            page.raw(b"{");
        }
    }

    fn end(&mut self) {
        if let Lists::Json(page) = self {
            page.end('}');
        }
    }

    fn list(&mut self, name: &str) {
        if let Lists::Json(page) = self {
            page.list(name);
        }
    }

    fn end_list(&mut self) {
        if let Lists::Json(page) = self {
            page.end(']');
        }
    }

    async fn work(&mut self, bytes: usize) {
        match self {
            Lists::Json(page) | Lists::Protobuf(page, _) => page.work(bytes).await,
        }
    }

    async fn task(&mut self, number: u32, entry: &'s Entry) {
        let written = match self {
            Lists::Json(_) => entry.rendered(Form::Json, |task| told(task).to_json().into()),
            Lists::Protobuf(..) => {
                entry.rendered(Form::Protobuf, |task| told(task).to_protobuf().into())
            }
        };
        self.written(number, written).await;
    }

    /// The form of what is written of a record.
    fn form(&self) -> Form {
        match self {
            Lists::Json(_) => Form::Json,
            Lists::Protobuf(..) => Form::Protobuf,
        }
    }

    /// Adds a message that is written in this form already.
    async fn written(&mut self, number: u32, item: &'s [u8]) {
        match self {
            Lists::Json(page) => {
                page.raw_item(item);
                page.pause().await;
            }
            Lists::Protobuf(page, collected) => {
                collected.push(number, Cow::Borrowed(item));
                page.work(item.len()).await;
            }
        }
    }

    async fn message(&mut self, number: u32, message: &impl Message) {
        match self {
            Lists::Json(page) => {
                page.item(message);
                page.pause().await;
            }
            Lists::Protobuf(page, collected) => {
                let item = message.to_protobuf();
                let length = item.len();
                collected.push(number, Cow::Owned(item.into()));
                page.work(length).await;
            }
        }
    }
}

impl<'s> Collected<'s> {
    fn push(&mut self, number: u32, item: Cow<'s, [u8]>) {
        self.bytes += 1 + varint_bytes(item.len()) + item.len();
        self.items.push((number, item));
    }
}

/// Appends the key and the length of what follows; the number of the field is below 16.
fn delimited(number: u32, length: usize, out: &mut Vec<u8>) {
    out.push((number << 3 | 2) as u8);
    varint(length, out);
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes a varint has.
fn varint_bytes(number: usize) -> usize {
    (number.max(1).ilog2() / 7 + 1) as usize
}

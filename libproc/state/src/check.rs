//! Whether a history of concurrent operations is linearizable: whether each could have happened at
//! one moment between its call and its answer.
//!
//! The search of Wing and Gong with Lowe's memory of what was tried ("Testing for linearizability",
//! 2017). Operations on different keys do not meet, so [`split`] a history by key first: the
//! search takes time that grows fast with the operations that overlap.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use crate::Version;

/// What operations do one after another.
pub trait Model {
    /// What they work on.
    type State: Clone + Eq + Hash;
    /// What is asked.
    type Call;
    /// What is answered.
    type Answer: PartialEq;

    /// Where it begins.
    fn start() -> Self::State;

    /// What an operation answers, and leaves behind.
    fn apply(state: &Self::State, call: &Self::Call) -> (Self::State, Self::Answer);
}

/// An operation of a history.
#[derive(Debug, Clone)]
pub struct Operation<C, A> {
    /// What was asked.
    pub call: C,
    /// When, on a clock that all share and that never stands still.
    pub called: u64,
    /// What was answered, and when; none: it may have happened at any time since, or never.
    pub answer: Option<(A, u64)>,
}

/// Splits a history by what each operation is about.
pub fn split<K: Ord, C, A>(
    history: impl IntoIterator<Item = Operation<C, A>>,
    key: impl Fn(&C) -> K,
) -> BTreeMap<K, Vec<Operation<C, A>>> {
    let mut parts: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for operation in history {
        parts
            .entry(key(&operation.call))
            .or_default()
            .push(operation);
    }
    parts
}

/// Whether a history is linearizable.
pub fn is_linearizable<M: Model>(history: &[Operation<M::Call, M::Answer>]) -> bool {
    Search::<M>::new(history).run()
}

/// A moment of a history.
#[derive(Clone, Copy)]
struct Moment {
    operation: usize,
    is_call: bool,
}

struct Search<'a, M: Model> {
    history: &'a [Operation<M::Call, M::Answer>],
    moments: Vec<Moment>,
    /// Where each operation's answer is among the moments.
    answers: Vec<usize>,
    /// A ring of the moments that are left, with a place of its own for the start.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Which operations have happened, and what that left behind, as far as it was tried.
    tried: HashSet<(Vec<u64>, M::State)>,
    happened: Vec<u64>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(history: &'a [Operation<M::Call, M::Answer>]) -> Self {
        let mut moments: Vec<(u64, Moment)> = Vec::new();
        for (operation, it) in history.iter().enumerate() {
            let answered = it.answer.as_ref().map_or(u64::MAX, |(_, at)| *at);
            let of = |is_call| Moment { operation, is_call };
            moments.extend([(it.called, of(true)), (answered, of(false))]);
        }
        // At one moment, what is called comes first: it may overlap.
        moments.sort_by_key(|(at, moment)| (*at, !moment.is_call));
        let moments: Vec<Moment> = moments.into_iter().map(|(_, moment)| moment).collect();
        let mut answers = vec![0; history.len()];
        for (place, moment) in moments.iter().enumerate() {
            if !moment.is_call {
                answers[moment.operation] = place;
            }
        }
        let places = moments.len() + 1;
        Self {
            history,
            answers,
            next: (0..places).map(|place| (place + 1) % places).collect(),
            previous: (0..places)
                .map(|place| (place + places - 1) % places)
                .collect(),
            moments,
            tried: HashSet::new(),
            happened: vec![0; history.len().div_ceil(64)],
        }
    }

    fn run(mut self) -> bool {
        let start = self.moments.len();
        let mut state = M::start();
        let mut chosen: Vec<(usize, M::State)> = Vec::new();
        let mut place = self.next[start];
        loop {
            if place == start {
                return true; // everything has happened
            }
            let moment = self.moments[place];
            let operation = &self.history[moment.operation];
            if moment.is_call {
                let (after, answer) = M::apply(&state, &operation.call);
                let fits = operation
                    .answer
                    .as_ref()
                    .is_none_or(|(told, _)| *told == answer);
                if fits && self.is_new(moment.operation, &after) {
                    self.flip(moment.operation);
                    chosen.push((place, std::mem::replace(&mut state, after)));
                    self.lift(place, self.answers[moment.operation]);
                    place = self.next[start];
                } else {
                    place = self.next[place];
                }
                continue;
            }
            if operation.answer.is_none() {
                return true; // what is left was never answered, and need not have happened
            }
            // Answered, and not yet happened: one of the choices before was wrong.
            let Some((wrong, before)) = chosen.pop() else {
                return false;
            };
            state = before;
            let operation = self.moments[wrong].operation;
            self.flip(operation);
            self.put_back(wrong, self.answers[operation]);
            place = self.next[wrong];
        }
    }

    fn flip(&mut self, operation: usize) {
        self.happened[operation / 64] ^= 1 << (operation % 64);
    }

    /// Whether nothing of the sort was tried before.
    fn is_new(&mut self, operation: usize, after: &M::State) -> bool {
        let mut happened = self.happened.clone();
        happened[operation / 64] |= 1 << (operation % 64);
        self.tried.insert((happened, after.clone()))
    }

    fn lift(&mut self, call: usize, answer: usize) {
        for place in [call, answer] {
            let (previous, next) = (self.previous[place], self.next[place]);
            self.next[previous] = next;
            self.previous[next] = previous;
        }
    }

    fn put_back(&mut self, call: usize, answer: usize) {
        for place in [answer, call] {
            let (previous, next) = (self.previous[place], self.next[place]);
            self.next[previous] = place;
            self.previous[next] = place;
        }
    }
}

/// One variable of a storage, as [`Storage`](crate::Storage) promises it.
#[derive(Debug)]
pub struct OneVariable;

/// What is asked of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableCall {
    /// Which version it is at.
    Get,
    /// To go from one version to another; none is no variable.
    Change {
        /// The version it must have.
        from: Option<Version>,
        /// The version it gets.
        to: Option<Version>,
    },
}

/// What a variable answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableAnswer {
    /// It is at this version.
    Is(Option<Version>),
    /// Whether it changed.
    Changed(bool),
}

impl Model for OneVariable {
    type State = Option<Version>;
    type Call = VariableCall;
    type Answer = VariableAnswer;

    fn start() -> Self::State {
        None
    }

    fn apply(state: &Self::State, call: &VariableCall) -> (Self::State, VariableAnswer) {
        match *call {
            VariableCall::Get => (*state, VariableAnswer::Is(*state)),
            VariableCall::Change { from, to } if from == *state => {
                (to, VariableAnswer::Changed(true))
            }
            VariableCall::Change { .. } => (*state, VariableAnswer::Changed(false)),
        }
    }
}

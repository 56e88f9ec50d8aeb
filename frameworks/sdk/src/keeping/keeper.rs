//! The order of stores and effects: pure.

use std::collections::{HashMap, VecDeque};

use state::{Encoded, Transaction, Variable};

/// What is committed at once, in bytes, unless a single turn stores more: what ZooKeeper takes.
const BYTES_MAX: usize = 512 * 1024;
/// Most changes committed at once, unless a single turn makes more.
const CHANGES_MAX: usize = 4_096;

/// Stores, and effects that wait for them.
pub(crate) struct Keeper<E> {
    /// This life's fence.
    life: Variable<u64>,
    /// The variables that are there, as they are in the storage.
    versions: HashMap<String, Variable<Encoded>>,
    changes: VecDeque<Change>,
    /// The number of the turn that goes on.
    turn: u64,
    /// Everything stored by turns up to this one is kept.
    kept: u64,
    under_way: Option<Batch>,
    held: VecDeque<(u64, E)>,
}

struct Change {
    turn: u64,
    name: String,
    /// None: it is expunged.
    value: Option<Encoded>,
}

struct Batch {
    up_to: u64,
    /// What the variables will be; none: expunged.
    becomes: Vec<(String, Option<Variable<Encoded>>)>,
    /// What it was made of, to be made again.
    changes: Vec<Change>,
}

impl<E> Keeper<E> {
    /// A keeper of these variables, in the life that `life` fences.
    pub(crate) fn new(
        life: Variable<u64>,
        variables: impl IntoIterator<Item = Variable<Encoded>>,
    ) -> Keeper<E> {
        let versions = variables.into_iter().map(|variable| {
            let name = variable.name().to_owned();
            (name, variable.without_value())
        });
        Keeper {
            life,
            versions: versions.collect(),
            changes: VecDeque::new(),
            turn: 1,
            kept: 0,
            under_way: None,
            held: VecDeque::new(),
        }
    }

    /// Stores a variable, or expunges it.
    pub(crate) fn change(&mut self, name: String, value: Option<Encoded>) {
        let turn = self.turn;
        self.changes.push_back(Change { turn, name, value });
    }

    /// Another turn begins: what it stores need not be kept together with what came before.
    pub(crate) fn next_turn(&mut self) {
        if self.last_change() == Some(self.turn) {
            self.turn += 1;
        }
    }

    /// Gives back an effect that may happen at once; keeps one that must wait.
    pub(crate) fn pass(&mut self, effect: E) -> Option<E> {
        let waits_for = match (&self.under_way, self.last_change()) {
            (_, Some(turn)) => turn,
            (Some(batch), None) => batch.up_to,
            (None, None) => return Some(effect),
        };
        self.held.push_back((waits_for, effect));
        None
    }

    fn last_change(&self) -> Option<u64> {
        self.changes.back().map(|change| change.turn)
    }

    /// What to commit, if there is something and nothing is under way.
    ///
    /// # Errors
    /// When a name is none.
    pub(crate) fn commit(&mut self) -> Result<Option<Transaction>, state::Error> {
        if self.under_way.is_some() || self.changes.is_empty() {
            return Ok(None);
        }
        let changes = self.take();
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (index, change) in changes.iter().enumerate() {
            last.insert(&change.name, index); // a transaction changes a variable once
        }
        let mut transaction = Transaction::default();
        transaction.check(&self.life);
        let mut becomes = Vec::with_capacity(last.len());
        for (index, change) in changes.iter().enumerate() {
            let name = &change.name;
            if last.get(name.as_str()) != Some(&index) {
                continue;
            }
            let known = self.versions.get(name).cloned();
            let stored = match &change.value {
                Some(value) => {
                    let variable = known.unwrap_or_else(|| Variable::absent(name));
                    transaction.store_encoded(variable.mutate(value.clone()))?
                }
                None => {
                    if let Some(known) = known {
                        transaction.expunge(known);
                    }
                    None
                }
            };
            becomes.push((name.clone(), stored.map(Variable::without_value)));
        }
        let up_to = changes.last().map_or(self.kept, |change| change.turn);
        self.under_way = Some(Batch {
            up_to,
            becomes,
            changes,
        });
        Ok(Some(transaction))
    }

    /// Takes the changes of as many whole turns as fit.
    fn take(&mut self) -> Vec<Change> {
        let (mut taken, mut bytes, mut turn) = (Vec::new(), 0, None);
        while let Some(next) = self.changes.front() {
            let size = next.name.len() + next.value.as_ref().map_or(0, Encoded::bytes);
            let full = bytes + size > BYTES_MAX || taken.len() >= CHANGES_MAX;
            if full && turn.is_some_and(|turn| turn != next.turn) {
                break;
            }
            bytes += size;
            turn = Some(next.turn);
            taken.extend(self.changes.pop_front());
        }
        // Not in the middle of a turn: what follows of the last one is taken above.
        self.turn = self.turn.max(turn.map_or(0, |turn| turn + 1));
        taken
    }

    /// What was under way is kept: gives the effects that waited for it, in order.
    pub(crate) fn committed(&mut self) -> Vec<E> {
        let Some(batch) = self.under_way.take() else {
            return Vec::new();
        };
        self.kept = batch.up_to;
        for (name, variable) in batch.becomes {
            match variable {
                Some(variable) => self.versions.insert(name, variable),
                None => self.versions.remove(&name),
            };
        }
        let mut free = Vec::new();
        while let Some((_, effect)) = self.held.pop_front_if(|(turn, _)| *turn <= batch.up_to) {
            free.push(effect);
        }
        free
    }

    /// What was under way was not stored, and is to be tried again.
    pub(crate) fn failed(&mut self) {
        if let Some(batch) = self.under_way.take() {
            for change in batch.changes.into_iter().rev() {
                self.changes.push_front(change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use state::{MemoryStorage, State};

    use super::*;
    use crate::keeping::LIFE;

    async fn keeper(state: &State) -> Keeper<u32> {
        let life = Variable::absent(LIFE).mutate(0);
        Keeper::new(state.store(life).await.unwrap().unwrap(), [])
    }

    fn value(number: u32) -> Option<Encoded> {
        Encoded::of("v", &number).ok()
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn an_effect_waits_for_what_its_turn_stored_and_for_nothing_else() {
        let state = State::new(MemoryStorage::default());
        let mut keeper = ready(keeper(&state));
        assert_eq!(keeper.pass(1), Some(1));
        keeper.change("a".to_owned(), value(1));
        assert_eq!(keeper.pass(2), None);
        let first = keeper.commit().unwrap().unwrap();
        keeper.next_turn();
        assert_eq!(keeper.pass(3), None, "it would overtake 2");
        keeper.change("a".to_owned(), value(2));
        assert_eq!(keeper.pass(4), None);
        assert!(keeper.commit().unwrap().is_none(), "one at a time");
        assert!(ready(state.commit(first)).unwrap());
        assert_eq!(keeper.committed(), [2, 3]);
        let second = keeper.commit().unwrap().unwrap();
        assert!(ready(state.commit(second)).unwrap());
        assert_eq!(keeper.committed(), [4]);
        assert_eq!(keeper.pass(5), Some(5));
    }

    #[test]
    fn who_began_before_stores_nothing_any_more() {
        let state = State::new(MemoryStorage::default());
        let mut keeper = ready(keeper(&state));
        let life = ready(state.fetch::<u64>(LIFE)).unwrap();
        ready(state.store(life.mutate(1))).unwrap().unwrap();
        keeper.change("of its own".to_owned(), value(1));
        let late = keeper.commit().unwrap().unwrap();
        assert!(!ready(state.commit(late)).unwrap());
    }

    proptest! {
        /// Whatever fails in between: effects come in order, each only when everything that was
        /// stored before it is kept, and in the end the storage has the last value of each name.
        #[test]
        fn effects_come_in_order_and_after_their_stores(
            steps in proptest::collection::vec((0_u8..6, 0_u8..4), 1..200)
        ) {
            let state = State::new(MemoryStorage::default());
            let mut keeper = ready(keeper(&state));
            let (mut expected, mut done, mut number) = (HashMap::new(), Vec::new(), 0_u32);
            let mut stored_before: Vec<HashMap<String, u32>> = Vec::new();
            let mut under_way = None;
            let finish = |keeper: &mut Keeper<u32>, under_way: &mut Option<Transaction>, done: &mut Vec<u32>| {
                let Some(transaction) = under_way.take() else { return };
                assert!(ready(state.commit(transaction)).unwrap());
                done.extend(keeper.committed());
            };
            for (step, name) in steps {
                let name = format!("n{name}");
                match step {
                    0 | 1 => {
                        number += 1;
                        keeper.change(name.clone(), value(number));
                        expected.insert(name, number);
                    }
                    2 => {
                        keeper.change(name.clone(), None);
                        expected.remove(&name);
                    }
                    3 => {
                        let effect = stored_before.len() as u32;
                        stored_before.push(expected.clone());
                        done.extend(keeper.pass(effect));
                    }
                    4 => {
                        keeper.next_turn();
                        match under_way {
                            None => under_way = keeper.commit().unwrap(),
                            Some(_) => finish(&mut keeper, &mut under_way, &mut done),
                        }
                    }
                    _ => if under_way.take().is_some() { keeper.failed() },
                }
                for effect in &done {
                    // Names that nothing has touched since are as they were at the effect.
                    for (name, at) in &stored_before[*effect as usize] {
                        if expected.get(name) == Some(at) {
                            let kept = ready(state.fetch::<u32>(name)).unwrap();
                            prop_assert_eq!(kept.value(), Some(at));
                        }
                    }
                }
            }
            finish(&mut keeper, &mut under_way, &mut done);
            while let Some(transaction) = keeper.commit().unwrap() {
                under_way = Some(transaction);
                finish(&mut keeper, &mut under_way, &mut done);
            }
            prop_assert_eq!(&done, &(0..stored_before.len() as u32).collect::<Vec<_>>());
            for (name, number) in &expected {
                prop_assert_eq!(ready(state.fetch::<u32>(name)).unwrap().into_value(), Some(*number));
            }
            prop_assert_eq!(ready(state.names()).unwrap().len(), expected.len() + 1);
        }
    }
}

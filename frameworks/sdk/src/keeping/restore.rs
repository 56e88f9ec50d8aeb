//! What was kept, read when a framework begins.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use state::{Encoded, State, Variable};
use types::FrameworkId;

use super::{FRAMEWORK_ID, LIFE, OF_AUTHOR};

/// How often to try to begin a life while others do as well.
const TRIES: u32 = 10;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a framework cannot begin with what was kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The storage does not work, or holds something else.
    #[error("could not read what was kept")]
    State(#[from] state::Error),
    /// Others begin again and again.
    #[error("other instances of the framework begin at the same time")]
    Contended,
}

/// The author's variables, as an earlier life of the framework left them.
///
/// Comes to [`Framework::on_restored`](crate::Framework::on_restored). Nothing is there the first
/// time, nor for a framework that runs without a state.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<String, Encoded>);

impl Kept {
    /// Takes the variable of this name; none if it was never stored, or is expunged.
    ///
    /// # Errors
    /// When it holds a value of another type.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, state::Error> {
        let value = self.0.remove(name);
        value.map(|value| value.decode(name)).transpose()
    }

    /// Takes all variables whose names begin so, in order, with their names.
    ///
    /// # Errors
    /// When one holds a value of another type.
    pub fn take_all<T: DeserializeOwned>(
        &mut self,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, state::Error> {
        let mut rest = self.0.split_off(prefix);
        let mut taken = Vec::new();
        while let Some((name, value)) = rest.pop_first() {
            if !name.starts_with(prefix) {
                self.0.insert(name, value);
                break;
            }
            let value = value.decode(&name)?;
            taken.push((name, value));
        }
        self.0.append(&mut rest);
        Ok(taken)
    }

    /// Whether there is nothing, or everything is taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>> FromIterator<(N, Encoded)> for Kept {
    fn from_iter<I: IntoIterator<Item = (N, Encoded)>>(values: I) -> Kept {
        let values = values.into_iter();
        Kept(values.map(|(name, value)| (name.into(), value)).collect())
    }
}

/// All that was kept.
pub(crate) struct Restored {
    pub(crate) life: Variable<u64>,
    pub(crate) variables: Vec<Variable<Encoded>>,
    pub(crate) framework_id: Option<FrameworkId>,
    pub(crate) kept: Kept,
}

/// Begins a life, which ends every one before, and reads what they kept.
pub(crate) async fn restore(state: State) -> Result<Restored, RestoreError> {
    let life = begin(&state).await?;
    // Read after the fence is there: what others store from here on is refused.
    let mut variables = state.fetch_all_encoded("").await?;
    variables.retain(|variable| variable.name() != LIFE);
    let mut kept = BTreeMap::new();
    let mut framework_id = None;
    for variable in &variables {
        let Some(value) = variable.value() else {
            continue;
        };
        match variable.name().strip_prefix(OF_AUTHOR) {
            Some(name) => drop(kept.insert(name.to_owned(), value.clone())),
            None if variable.name() == FRAMEWORK_ID => {
                framework_id = Some(value.decode(FRAMEWORK_ID)?);
            }
            None => {}
        }
    }
    Ok(Restored {
        life,
        variables: variables.into_iter().map(Variable::without_value).collect(),
        framework_id,
        kept: Kept(kept),
    })
}

async fn begin(state: &State) -> Result<Variable<u64>, RestoreError> {
    for _ in 0..TRIES {
        let life = state.fetch::<u64>(LIFE).await?;
        let next = life.value().map_or(1, |number| number.wrapping_add(1));
        if let Some(life) = state.store(life.mutate(next)).await? {
            return Ok(life);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(RestoreError::Contended)
}

#[cfg(test)]
mod tests {
    use state::MemoryStorage;

    use super::*;

    #[test]
    fn what_was_kept_is_taken_by_name_and_by_prefix() {
        let value = |n: u32| Encoded::of("v", &n).unwrap();
        let names = ["job/1", "job/2", "joker", "a", "job"];
        let mut kept: Kept = names.into_iter().map(|name| (name, value(7))).collect();
        assert_eq!(kept.take::<u32>("nothing").unwrap(), None);
        assert_eq!(kept.take::<u32>("a").unwrap(), Some(7));
        let jobs = kept.take_all::<u32>("job/").unwrap();
        let jobs: Vec<_> = jobs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(jobs, ["job/1", "job/2"]);
        assert!(kept.take::<String>("joker").is_err());
        assert_eq!(kept.take_all::<u32>("").unwrap().len(), 1);
        assert!(kept.is_empty());
    }

    #[tokio::test]
    async fn each_life_finds_what_was_kept_and_ends_the_one_before() {
        let state = State::new(MemoryStorage::default());
        let first = restore(state.clone()).await.unwrap();
        assert!(first.kept.is_empty() && first.framework_id.is_none());
        let mut transaction = state::Transaction::default();
        transaction.check(&first.life);
        let id = Encoded::of(FRAMEWORK_ID, &FrameworkId::new("f").unwrap()).unwrap();
        let id = Variable::absent(FRAMEWORK_ID).mutate(id);
        transaction.store_encoded(id).unwrap();
        assert!(state.commit(transaction).await.unwrap());
        let second = restore(state.clone()).await.unwrap();
        assert_eq!(second.framework_id, FrameworkId::new("f").ok());
        let mut late = state::Transaction::default();
        late.check(&first.life);
        assert!(!state.commit(late).await.unwrap());
    }
}

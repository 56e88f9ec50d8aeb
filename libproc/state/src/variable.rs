//! Variables: fetched, given another value, and stored, unless somebody else stored first.

use std::sync::Arc;

use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::encoded::Encoded;
use crate::entry::NAME_MAX;
use crate::{Change, Entry, Storage, StorageError, Version};

/// So many entries are read at once when many are fetched.
const FETCHES_AT_ONCE: usize = 64;

/// Why a variable could not be fetched or stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage does not work.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The variable holds a value of another type.
    #[error("the variable {name:?} does not hold what was asked for")]
    Type {
        /// The variable.
        name: String,
        /// What is wrong with its value.
        #[source]
        source: Arc<rmp_serde::decode::Error>,
    },
    /// The value has no encoding.
    #[error("could not encode the variable {name:?}")]
    Encode {
        /// The variable.
        name: String,
        /// What is wrong with its value.
        #[source]
        source: Arc<rmp_serde::encode::Error>,
    },
    /// A variable has a name, of bounded length.
    #[error("a name has 1 to {NAME_MAX} bytes, without a control character")]
    Name,
}

/// A variable as it was when it was fetched, or as it is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable<T> {
    name: String,
    version: Option<Version>,
    value: Option<T>,
}

impl<T> Variable<T> {
    /// A variable as it is when nobody has ever stored it; to be stored if that is so.
    pub fn absent(name: &str) -> Variable<T> {
        Variable {
            name: name.to_owned(),
            version: None,
            value: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value; none if it was never stored, or is expunged.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Its value, for good.
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// The same variable, to be mutated and stored by whoever knows its value.
    #[must_use]
    pub fn without_value(self) -> Variable<T> {
        Variable {
            value: None,
            ..self
        }
    }

    /// The same variable with another value. Nobody sees it until it is stored.
    #[must_use = "what is not stored is lost"]
    pub fn mutate(self, value: T) -> Variable<T> {
        Variable {
            value: Some(value),
            ..self
        }
    }
}

/// Variables, wherever they are kept. A cheap handle.
#[derive(Clone)]
pub struct State {
    storage: Arc<dyn Storage>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

impl State {
    /// Variables in this storage.
    pub fn new(storage: impl Storage) -> State {
        State {
            storage: Arc::new(storage),
        }
    }

    /// The variable of this name. One that was never stored has no value yet.
    ///
    /// # Errors
    /// When the storage does not work, or the value is of another type.
    pub async fn fetch<T: DeserializeOwned>(&self, name: &str) -> Result<Variable<T>, Error> {
        check(name)?;
        let Some(entry) = self.storage.get(name).await? else {
            return Ok(Variable::absent(name));
        };
        decode(entry)
    }

    /// All variables whose names begin so, in order of their names.
    ///
    /// They are fetched one after another: a variable that is stored meanwhile may come as it was
    /// or as it is.
    ///
    /// # Errors
    /// When the storage does not work, or a value is of another type.
    pub async fn fetch_all<T: DeserializeOwned>(
        &self,
        prefix: &str,
    ) -> Result<Vec<Variable<T>>, Error> {
        self.entries(prefix)
            .await?
            .into_iter()
            .map(decode)
            .collect()
    }

    /// [`fetch_all`](State::fetch_all) whatever the types of their values.
    ///
    /// # Errors
    /// When the storage does not work.
    pub async fn fetch_all_encoded(&self, prefix: &str) -> Result<Vec<Variable<Encoded>>, Error> {
        let entries = self.entries(prefix).await?.into_iter();
        let variable = |entry: Entry| Variable {
            name: entry.name,
            version: Some(entry.version),
            value: Some(Encoded(entry.value)),
        };
        Ok(entries.map(variable).collect())
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let names = self.storage.names().await?;
        let names = names.into_iter().filter(|name| name.starts_with(prefix));
        // Collected first: the stream must not hold on to the prefix.
        let reads: Vec<_> = names.map(|name| self.storage.get(&name)).collect();
        let entries = futures_util::stream::iter(reads).buffered(FETCHES_AT_ONCE);
        let entries: Vec<Option<Entry>> = entries.try_collect().await?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// Stores a variable, unless somebody else stored or expunged it since it was fetched: then
    /// the answer is none. A variable without a value is not stored either.
    ///
    /// # Errors
    /// When the storage does not work; [`StorageError::Unknown`] says that it may be stored yet.
    pub async fn store<T: Serialize>(
        &self,
        variable: Variable<T>,
    ) -> Result<Option<Variable<T>>, Error> {
        let mut transaction = Transaction::default();
        let Some(stored) = transaction.store(variable)? else {
            return Ok(None);
        };
        Ok(self.commit(transaction).await?.then_some(stored))
    }

    /// Removes a variable, unless somebody else stored or expunged it since it was fetched.
    ///
    /// # Errors
    /// When the storage does not work; [`StorageError::Unknown`] says that it may yet go.
    pub async fn expunge<T>(&self, variable: Variable<T>) -> Result<bool, Error> {
        let mut transaction = Transaction::default();
        if !transaction.expunge(variable) {
            return Ok(false);
        }
        self.commit(transaction).await
    }

    /// The names of all variables, in order.
    ///
    /// # Errors
    /// When the storage does not work.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.storage.names().await?)
    }

    /// Makes all of some changes, or none of them: when one of the variables has been stored or
    /// expunged since it was fetched, the answer is `false`.
    ///
    /// # Errors
    /// When the storage does not work; [`StorageError::Unknown`] says that all may yet happen.
    pub async fn commit(&self, transaction: Transaction) -> Result<bool, Error> {
        let mut names: Vec<_> = transaction.changes.iter().map(Change::name).collect();
        names.sort_unstable();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]),
            "a transaction changes a variable once"
        );
        if transaction.changes.is_empty() {
            return Ok(true);
        }
        Ok(self.storage.commit(transaction.changes).await?)
    }
}

/// Changes of several variables that are made all at once, or not at all.
#[derive(Debug, Default)]
pub struct Transaction {
    changes: Vec<Change>,
    bytes: usize,
}

impl Transaction {
    /// Stores a variable; what it will be comes back. None if it has no value.
    ///
    /// # Errors
    /// When its value has no encoding, or its name is none.
    pub fn store<T: Serialize>(
        &mut self,
        variable: Variable<T>,
    ) -> Result<Option<Variable<T>>, Error> {
        check(&variable.name)?;
        let Some(value) = &variable.value else {
            return Ok(None);
        };
        let encoded = Encoded::of(&variable.name, value)?;
        let version = self.set(variable.name.clone(), variable.version, encoded);
        Ok(Some(Variable {
            version: Some(version),
            ..variable
        }))
    }

    /// [`store`](Transaction::store) for a value that is encoded already.
    ///
    /// # Errors
    /// When the name is none.
    pub fn store_encoded(
        &mut self,
        variable: Variable<Encoded>,
    ) -> Result<Option<Variable<Encoded>>, Error> {
        check(&variable.name)?;
        let Some(encoded) = variable.value.clone() else {
            return Ok(None);
        };
        let version = self.set(variable.name.clone(), variable.version, encoded);
        Ok(Some(Variable {
            version: Some(version),
            ..variable
        }))
    }

    fn set(&mut self, name: String, expected: Option<Version>, encoded: Encoded) -> Version {
        self.bytes += encoded.bytes() + name.len();
        let (version, value) = (Version::fresh(), encoded.0);
        let entry = Entry {
            name,
            version,
            value,
        };
        self.changes.push(Change::Set { entry, expected });
        version
    }

    /// Removes a variable; false if it is not there.
    pub fn expunge<T>(&mut self, variable: Variable<T>) -> bool {
        let Some(expected) = variable.version else {
            return false;
        };
        let name = variable.name;
        self.changes.push(Change::Expunge { name, expected });
        true
    }

    /// Demands that a variable is still as it was fetched.
    pub fn check<T>(&mut self, variable: &Variable<T>) {
        let (name, expected) = (variable.name.clone(), variable.version);
        self.changes.push(Change::Check { name, expected });
    }

    /// About how many bytes are to be stored.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many changes and checks there are.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }
}

fn check(name: &str) -> Result<(), Error> {
    let fits = (1..=NAME_MAX).contains(&name.len());
    match fits && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(Error::Name),
    }
}

fn decode<T: DeserializeOwned>(entry: Entry) -> Result<Variable<T>, Error> {
    let value = Encoded(entry.value).decode(&entry.name)?;
    Ok(Variable {
        name: entry.name,
        version: Some(entry.version),
        value: Some(value),
    })
}

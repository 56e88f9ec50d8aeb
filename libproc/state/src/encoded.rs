//! Values that are encoded already: for whoever keeps those of others.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// A value as a variable keeps it, whatever its type.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded(pub(crate) Bytes);

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoded({} bytes)", self.0.len())
    }
}

impl Encoded {
    /// Encodes the value that the variable `name` is to have.
    ///
    /// # Errors
    /// When the value has no encoding.
    pub fn of<T: Serialize>(name: &str, value: &T) -> Result<Encoded, Error> {
        let encoded = rmp_serde::to_vec_named(value).map_err(|error| Error::Encode {
            name: name.to_owned(),
            source: Arc::new(error),
        })?;
        Ok(Encoded(encoded.into()))
    }

    /// Decodes the value of the variable `name`.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn decode<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        rmp_serde::from_slice(&self.0).map_err(|error| Error::Type {
            name: name.to_owned(),
            source: Arc::new(error),
        })
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, State, Transaction, Variable};

    #[tokio::test]
    async fn what_is_stored_encoded_is_fetched_by_its_type_and_the_other_way_round() {
        let state = State::new(MemoryStorage::default());
        let encoded = Encoded::of("a", &vec![1_u64, 2]).unwrap();
        let mut transaction = Transaction::default();
        let variable = Variable::absent("a").mutate(encoded.clone());
        assert!(transaction.store_encoded(variable).unwrap().is_some());
        assert!(state.commit(transaction).await.unwrap());
        let typed = state.fetch::<Vec<u64>>("a").await.unwrap();
        assert_eq!(typed.value(), Some(&vec![1, 2]));
        let all = state.fetch_all_encoded("").await.unwrap();
        assert_eq!(all[0].value(), Some(&encoded));
        assert_eq!(encoded.decode::<Vec<u64>>("a").unwrap(), [1, 2]);
        assert!(encoded.decode::<String>("a").is_err());
    }
}

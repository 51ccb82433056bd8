//! What each service keeps while its cloud runs, found by its type.
//!
//! The cloud does not name the types, so a new service brings its own state without a change here.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;

/// The states of all services of one cloud. Each state has its own lock, if it needs one.
#[derive(Default)]
pub(crate) struct ServiceStates(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl ServiceStates {
    /// Adds the state of a service before the cloud starts.
    pub fn add<T: Any + Send + Sync>(&mut self, state: T) {
        let former = self.0.insert(TypeId::of::<T>(), Box::new(state));
        assert!(former.is_none(), "two services keep their state as {}", type_name::<T>());
    }

    /// The state of this type.
    pub fn of<T: Any + Send + Sync>(&self) -> &T {
        let state = self.0.get(&TypeId::of::<T>()).and_then(|state| state.downcast_ref());
        state.unwrap_or_else(|| panic!("no service of the list adds a {}", type_name::<T>()))
    }
}

//! `cleanup` in every order of calls, and with every damage of the state folder.

mod call_order;
mod damaged_state;

//! `cleanup` in every order and over every ruin of the state folder.

mod call_order;
mod damaged_state;

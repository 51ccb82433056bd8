//! `cleanup` in every order and over every ruin of the state folder.

mod damaged;
mod order;

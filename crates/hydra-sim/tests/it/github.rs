//! The simulated GitHub as its clients meet it.

mod contracts;
mod doors;
mod faults;
mod git;
mod graphql;
mod hub;
mod limits;
mod pulls;

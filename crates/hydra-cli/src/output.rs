//! What people and programs are shown.

pub mod errors;
pub mod event;
pub mod json;
pub mod log;
pub mod mask;
pub mod screen;
pub mod table;

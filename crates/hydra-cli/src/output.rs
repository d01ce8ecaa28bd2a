//! What people and programs are shown.

pub mod clean;
pub mod errors;
pub mod event;
pub mod happenings;
pub mod issue;
pub mod json;
pub mod live;
pub mod log;
pub mod mask;
pub mod overview;
pub mod screen;
pub mod table;

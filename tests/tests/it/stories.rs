//! The engine with its real adapters against the simulated GitHub and the scripted model, told as a reader would tell it.
//!
//! Agents are processes of this machine (`hydra agent` with the simulator's small agent); where a fault cannot be made that way, or only slowly,
//! core's fake runtime plays them on real git. What is asserted is what a person sees on GitHub, the engine's reasons, and that nothing
//! else was written.

mod bad_output;
mod before;
mod doors;
pub(crate) mod hands;
mod jobs;
mod main_line;
mod orchestrators;
mod people;
mod plays;
mod reviews;
pub(crate) mod script;
pub(crate) mod stage;

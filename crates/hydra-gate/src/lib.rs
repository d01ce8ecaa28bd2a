//! The running fence of one job: it answers names, judges handshakes, dials what its policy names, and tells what it refused.
//!
//! Three roles of one binary: [`holder`] owns the agent's network namespace and keeps the descriptors of its sockets; [`netinit`] fences that
//! namespace, makes the sockets in it, hands them over, proves the fence and ends; [`gate`] serves them from a container of its own, where it
//! has no capability and the agent has nothing.

pub mod args;
mod confine;
mod connect;
mod descriptors;
mod dial;
mod dns;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod gate;
mod holder;
mod inspect;
mod model;
mod names;
mod netinit;
mod packets;
mod proof;
mod quiet;
mod refusal;
mod relay;
mod tls;

pub use args::run;
pub use descriptors::Sockets;
pub use dns::{Answer, respond};
pub use events::Lines;
pub use gate::{Gate, serve};
pub use tls::hello::{Hello, HelloReader};

//! Renders one egress policy for the places that enforce it. Every renderer is a pure function: addresses are its arguments,
//! the same arguments give the same text.

pub mod iptables;
pub mod kubernetes;
pub mod nft;

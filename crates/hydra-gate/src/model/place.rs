//! A self-hosted model API: one place outside, at one port, named by the configuration.

use crate::{gate::Gate, relay::relay};
use std::{io, sync::atomic::Ordering};
use tokio::net::TcpStream;

/// One connection, wherever the agent believed it went.
pub(crate) async fn serve(gate: &Gate, agent: TcpStream) -> io::Result<()> {
    let Some(endpoint) = &gate.model else { return Ok(()) };
    agent.set_nodelay(true)?;
    let host = gate.dialer.place(endpoint).await?;
    let usage = gate.events.usage(&endpoint.to_string());
    usage.connections.fetch_add(1, Ordering::Relaxed);
    // Prompts are long, and nothing else is there to send them to: what is spent is bounded by the budget.
    relay(agent, host, &usage, u64::MAX, &gate.buffers).await;
    Ok(())
}

//! Carries bytes between two sockets, counts them, and stops at a bound. Nothing is held for a connection over which nothing goes.

mod linger;

use crate::events::Usage;
use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Bytes that are carried at a time.
const PIECE: usize = 128 * 1024;
/// Buffers that are kept for the next who needs one.
const KEPT: usize = 64;
/// When one side is done, the other has so long.
const LINGER: Duration = Duration::from_secs(600);

/// Buffers that nobody uses just now.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice())
    }
    fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides were done, or one of them broke off.
    Closed,
    /// More was sent than may be.
    Limit,
}

/// Until both sides are done.
pub(crate) async fn relay(agent: TcpStream, host: TcpStream, usage: &Usage, most_up: u64, buffers: &Buffers) -> End {
    let ((from_agent, to_agent), (from_host, to_host)) = (agent.into_split(), host.into_split());
    let up = pump(from_agent, to_host, &usage.up, most_up, buffers);
    let down = pump(from_host, to_agent, &usage.down, u64::MAX, buffers);
    match linger::both(up, down, LINGER).await {
        Err(Stop::Limit) => End::Limit,
        Ok(()) | Err(Stop::Broken) => End::Closed,
    }
}

enum Stop {
    Limit,
    Broken,
}
impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

async fn pump(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    count: &AtomicU64,
    most: u64,
    buffers: &Buffers,
) -> Result<(), Stop> {
    loop {
        from.readable().await?;
        let mut buffer = buffers.take();
        let done = loop {
            match from.try_read(&mut buffer) {
                Ok(0) => break Ok(true),
                Ok(length) => {
                    let carried = length as u64;
                    if count.fetch_add(carried, Ordering::Relaxed).saturating_add(carried) > most {
                        break Err(Stop::Limit);
                    }
                    if let Err(error) = to.write_all(buffer.get(..length).unwrap_or_default()).await {
                        break Err(error.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) => break Err(error.into()),
            }
        };
        buffers.give_back(buffer);
        if done? {
            // The other direction may go on.
            return Ok(to.shutdown().await?);
        }
    }
}

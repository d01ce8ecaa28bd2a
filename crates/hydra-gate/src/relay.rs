//! Carries bytes between two sockets, counts them, and stops at a bound. Nothing is held for a connection over which nothing goes.

mod linger;

use crate::events::Usage;
use rustix::{
    fd::OwnedFd,
    pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice},
};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, Interest, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, SemaphorePermit},
};

/// Bytes that are carried at a time. Where more were waiting, what follows stays in the kernel.
const PIECE: usize = 128 * 1024;
/// Buffers that are kept for the next who needs one.
const KEPT: usize = 64;
/// When one side is done, the other has so long.
const LINGER: Duration = Duration::from_secs(600);
/// Pipes at a time, and those that are kept when only one is in use.
const PIPES: usize = 64;
const SPARE: usize = 8;
/// Bytes that a pipe takes at a time. A user without rights may have 64 MiB of them, all gates of a machine together; when that is spent the
/// kernel gives smaller ones, and below the second bound copying is as quick.
const WIDE: usize = 256 * 1024;
const NARROW: usize = 64 * 1024;
/// Bytes after which a connection lets the others have their turn.
const TURN: usize = 1024 * 1024;
/// Where less is waiting, copying is quicker than a pipe.
const FEW: usize = 16 * 1024;

/// A pipe with nothing in it: where it is read, and where it is written.
type Pipe = (OwnedFd, OwnedFd);

/// Nothing when there is no descriptor for one, or no room.
fn pipe() -> Option<Pipe> {
    let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
    // It may stay as it is.
    _ = fcntl_setpipe_size(&into, WIDE);
    (fcntl_getpipe_size(&into).ok()? >= NARROW).then_some((out, into))
}

/// Buffers and pipes that nobody uses just now.
#[derive(Debug)]
pub(crate) struct Buffers {
    pieces: Mutex<Vec<Box<[u8]>>>,
    pipes: Mutex<Vec<Pipe>>,
    /// Pipes that may still be taken.
    room: Semaphore,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { pieces: Mutex::default(), pipes: Mutex::default(), room: Semaphore::new(PIPES) }
    }
}

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.pieces.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice())
    }
    fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
    /// Nothing when so many are in use, or there is none to be had.
    fn take_pipe(&self) -> Option<(Pipe, SemaphorePermit<'_>)> {
        let room = self.room.try_acquire().ok()?;
        let kept = self.pipes.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Some((kept.or_else(pipe)?, room))
    }
    fn give_back_pipe(&self, pipe: Pipe) {
        let mut kept = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        if self.room.available_permits() + 1 == PIPES {
            kept.truncate(SPARE - 1);
        }
        kept.push(pipe);
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
    let up = pump(from_agent, to_host, Bound { count: &usage.up, most: most_up }, buffers);
    let down = pump(from_host, to_agent, Bound { count: &usage.down, most: u64::MAX }, buffers);
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

/// What was carried in a direction, by all connections to the host, and what may be.
#[derive(Clone, Copy)]
struct Bound<'c> {
    count: &'c AtomicU64,
    most: u64,
}

impl Bound<'_> {
    /// Counts bytes before they are given on.
    fn carry(self, length: usize) -> Result<(), Stop> {
        let carried = length as u64;
        let all = self.count.fetch_add(carried, Ordering::Relaxed).saturating_add(carried);
        if all > self.most { Err(Stop::Limit) } else { Ok(()) }
    }
}

/// What there was to carry.
enum Carried {
    /// Nothing after all, or the runtime wants others to have their turn.
    Nothing,
    Few,
    Many,
    /// Nothing will come any more.
    End,
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bound: Bound<'_>,
    buffers: &Buffers,
) -> Result<(), Stop> {
    let mut many = false;
    loop {
        from.readable().await?;
        let pipe = if many { buffers.take_pipe() } else { None };
        let carried = match pipe {
            Some((pipe, _room)) => {
                let carried = moved(from.as_ref(), to.as_ref(), &pipe, bound).await?;
                // One that was left with something in it has gone with the connection.
                buffers.give_back_pipe(pipe);
                carried
            }
            None => {
                let mut buffer = buffers.take();
                let carried = copied(&mut from, &mut to, &mut buffer, bound).await?;
                buffers.give_back(buffer);
                carried
            }
        };
        many = match carried {
            Carried::Nothing => {
                // To wait for bytes would return at once, over and over.
                tokio::task::yield_now().await;
                many
            }
            Carried::Few => false,
            Carried::Many => true,
            // The other direction may go on.
            Carried::End => return Ok(to.shutdown().await?),
        };
    }
}

/// Carries what is waiting, as far as it has room in the buffer.
async fn copied(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    buffer: &mut [u8],
    bound: Bound<'_>,
) -> Result<Carried, Stop> {
    // Unlike `try_read`, this knows after a short read that nothing is left, without asking the kernel.
    let read = poll_fn(|context| {
        let mut room = ReadBuf::new(buffer);
        Poll::Ready(match Pin::new(&mut *from).poll_read(context, &mut room) {
            Poll::Ready(read) => read.map(|()| Some(room.filled().len())),
            Poll::Pending => Ok(None),
        })
    });
    match read.await? {
        None => Ok(Carried::Nothing),
        Some(0) => Ok(Carried::End),
        Some(length) => {
            bound.carry(length)?;
            to.write_all(buffer.get(..length).unwrap_or_default()).await?;
            Ok(if length == buffer.len() { Carried::Many } else { Carried::Few })
        }
    }
}

/// Moves what is waiting, without a look at it. The pipe is empty before and after.
async fn moved(from: &TcpStream, to: &TcpStream, pipe: &Pipe, bound: Bound<'_>) -> Result<Carried, Stop> {
    let (out, into) = pipe;
    let how = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    let (mut turn, mut moved) = (0, false);
    loop {
        let taken = from.try_io(Interest::READABLE, || Ok(splice(from, None, into, None, WIDE, how)?));
        let length = match taken {
            Ok(0) => return Ok(Carried::End),
            Ok(length) => length,
            // Where nothing could be moved although something is there (an urgent byte stops a pipe), it is copied next.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(if moved { Carried::Many } else { Carried::Few });
            }
            Err(error) => return Err(error.into()),
        };
        bound.carry(length)?;
        moved = true;
        let mut left = length;
        while left > 0 {
            match to.async_io(Interest::WRITABLE, || Ok(splice(out, None, to, None, left, how)?)).await? {
                0 => return Err(Stop::Broken),
                given => left -= given,
            }
        }
        if length < FEW {
            return Ok(Carried::Few);
        }
        turn += length;
        if turn >= TURN {
            tokio::task::yield_now().await;
            turn = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinSet};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }
    /// An agent and a host, and the relay between them.
    async fn joined(most_up: u64, buffers: &Arc<Buffers>, ends: &mut JoinSet<(End, u64)>) -> (TcpStream, TcpStream) {
        let ((agent, near), (far, host)) = (pair().await, pair().await);
        let buffers = Arc::clone(buffers);
        ends.spawn(async move {
            let usage = Usage::default();
            let end = relay(near, far, &usage, most_up, &buffers).await;
            (end, usage.up.load(Ordering::Relaxed) + usage.down.load(Ordering::Relaxed))
        });
        (agent, host)
    }
    fn bytes(count: u64) -> Vec<u8> {
        (0..count).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn much_and_little_pass_unchanged_and_each_side_may_be_done_first() {
        let (buffers, mut ends) = (Arc::new(Buffers::default()), JoinSet::new());
        // More than there are pipes for.
        let streams = PIPES + 8;
        let mut clients = JoinSet::new();
        for _ in 0..streams {
            let (mut agent, mut host) = joined(u64::MAX, &buffers, &mut ends).await;
            clients.spawn(async move {
                let much = bytes(200_000);
                let down = much.clone();
                let host = async move {
                    for size in [down.len(), 1, 100_000, 10] {
                        host.write_all(&down[..size]).await.unwrap();
                    }
                    host.shutdown().await.unwrap();
                    let mut came = Vec::new();
                    host.read_to_end(&mut came).await.unwrap();
                    assert_eq!(came, b"and this");
                };
                let agent = async move {
                    let mut came = Vec::new();
                    agent.read_to_end(&mut came).await.unwrap();
                    assert!(came == [&much[..], &much[..1], &much[..100_000], &much[..10]].concat());
                    // The host is done; the agent is not.
                    agent.write_all(b"and this").await.unwrap();
                    agent.shutdown().await.unwrap();
                };
                tokio::join!(host, agent);
            });
        }
        clients.join_all().await;
        let carried = 1_600_000 + 1 + 100_000 + 10 + 8;
        assert!(ends.join_all().await.iter().all(|end| *end == (End::Closed, carried)));
        let pipes = buffers.pipes.lock().unwrap().len();
        assert!((1..=PIPES).contains(&pipes) && buffers.room.available_permits() == PIPES, "{pipes}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_upload_that_goes_past_its_bound_ends_however_it_is_carried() {
        for most in [1_000, 10_000_000] {
            let (buffers, mut ends) = (Arc::new(Buffers::default()), JoinSet::new());
            let (mut agent, mut host) = joined(most, &buffers, &mut ends).await;
            let drain = async move {
                let mut came = Vec::new();
                // It is cut off.
                _ = host.read_to_end(&mut came).await;
                came.len() as u64
            };
            let fill = async move {
                let piece = bytes(100_000);
                while agent.write_all(&piece).await.is_ok() {}
            };
            let (came, ()) = tokio::join!(drain, fill);
            assert!(came <= most, "{came}");
            let (end, counted) = ends.join_next().await.unwrap().unwrap();
            assert!(end == End::Limit && counted > most, "{counted}");
        }
    }

    #[tokio::test]
    async fn a_host_that_breaks_off_ends_it_and_leaves_no_pipe_with_bytes_in_it() {
        let (buffers, mut ends) = (Arc::new(Buffers::default()), JoinSet::new());
        let (mut agent, host) = joined(u64::MAX, &buffers, &mut ends).await;
        let fill = async move {
            let piece = bytes(1_000_000);
            while agent.write_all(&piece).await.is_ok() {}
        };
        let leave = async move {
            // Nobody reads: the relay stands in the middle of a piece.
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(host);
        };
        tokio::join!(fill, leave);
        assert_eq!(ends.join_next().await.unwrap().unwrap().0, End::Closed);
        assert_eq!((buffers.pipes.lock().unwrap().len(), buffers.room.available_permits()), (0, PIPES));
    }
}

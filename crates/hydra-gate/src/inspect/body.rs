//! Bodies that are counted as they pass, and end when nothing more comes; what an agent sends has a bound.

use crate::{events::Usage, quiet::Quiet};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::sync::OwnedSemaphorePermit;

/// What an agent sends.
pub(crate) struct Sent {
    pub(super) body: Incoming,
    pub(super) usage: Arc<Usage>,
    /// Bytes to this host, all requests of the job together.
    pub(super) most: u64,
    /// Set when there were more.
    pub(super) over: Arc<AtomicBool>,
    pub(super) quiet: Quiet,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let frame = match ready!(self.quiet.bound(frame, context)) {
            Ok(frame) => frame,
            Err(silent) => return Poll::Ready(Some(Err(silent.into()))),
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let carried = data.len() as u64;
            if self.usage.up.fetch_add(carried, Ordering::Relaxed).saturating_add(carried) > self.most {
                self.over.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(io::Error::other("more than may be sent to this host").into())));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What comes back.
pub(crate) struct Given {
    pub(super) body: Incoming,
    pub(super) usage: Arc<Usage>,
    /// Free again when it has come to its end, or nobody wants it any more.
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) quiet: Quiet,
}

impl Body for Given {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let frame = match ready!(self.quiet.bound(frame, context)) {
            Ok(frame) => frame,
            Err(silent) => return Poll::Ready(Some(Err(silent.into()))),
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.usage.down.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

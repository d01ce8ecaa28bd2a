//! An answer of the model API on its way to the agent: counted as it passes, and ended when nothing more comes.

use super::{budget::UnderWay, usage::UsageReader};
use crate::{events::Usage, quiet::Quiet};
use bytes::Bytes;
use hydra_core::Tokens;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

/// An answer that is counted as it passes.
pub(crate) struct Counted {
    body: Incoming,
    reader: Option<UsageReader>,
    under_way: Option<UnderWay>,
    usage: Arc<Usage>,
    quiet: Quiet,
}

impl Counted {
    /// `events_come`: it is a stream of events, not a document. `quiet`: nothing comes for so long, at most.
    pub(super) fn new(
        body: Incoming,
        events_come: bool,
        under_way: UnderWay,
        usage: Arc<Usage>,
        quiet: Duration,
    ) -> Self {
        let reader = if events_come { UsageReader::default() } else { UsageReader::document() };
        Self { body, reader: Some(reader), under_way: Some(under_way), usage, quiet: Quiet::new(quiet) }
    }
    fn settle(&mut self) {
        if let (Some(reader), Some(under_way)) = (self.reader.take(), self.under_way.take()) {
            let passed = reader.passed();
            match reader.finish() {
                // It has not said what it used: left before its first word, or it says nothing of it.
                said if said == Tokens::default() => under_way.count_unsaid(passed),
                said => under_way.count(said),
            }
        }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let frame = match ready!(self.quiet.bound(frame, context)) {
            Ok(frame) => frame,
            Err(silent) => {
                self.settle();
                return Poll::Ready(Some(Err(silent.into())));
            }
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.usage.down.fetch_add(data.len() as u64, Ordering::Relaxed);
            if let Some(reader) = &mut self.reader {
                reader.feed(data);
            }
        }
        if !matches!(frame, Some(Ok(_))) {
            self.settle();
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

/// An agent that goes away in mid-answer has used what it got.
impl Drop for Counted {
    fn drop(&mut self) {
        self.settle();
    }
}

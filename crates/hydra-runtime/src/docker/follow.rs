//! Follows a container's output, from its first line to its end.

use super::{
    convert,
    engine::Engine,
    trouble::{explain, is_missing},
};
use crate::{error::hinted, lines::LineCutter};
use bollard::{container::LogOutput, query_parameters::LogsOptions};
use futures_util::stream::{self, BoxStream, StreamExt};
use hydra_core::ports::{LogLine, RuntimeError, RuntimeErrorKind};
use std::{collections::VecDeque, sync::Arc};

struct Follower {
    engine: Arc<Engine>,
    name: String,
    pieces: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
    /// Standard output and standard error, each cut into lines on its own.
    cutters: [LineCutter; 2],
    /// Bytes taken of each.
    taken: [usize; 2],
    ready: VecDeque<LogLine>,
    ended: bool,
}

/// The lines. The container is there.
pub(super) fn follow(engine: Arc<Engine>, name: String) -> BoxStream<'static, Result<LogLine, RuntimeError>> {
    let pieces = engine.docker.logs(&name, Some(whole(true))).boxed();
    let follower = Follower {
        engine,
        name,
        pieces,
        cutters: Default::default(),
        taken: [0; 2],
        ready: VecDeque::new(),
        ended: false,
    };
    stream::unfold(Some(follower), |state| async move {
        let mut follower = state?;
        loop {
            if let Some(line) = follower.ready.pop_front() {
                return Some((Ok(line), Some(follower)));
            }
            if follower.ended {
                return None;
            }
            if let Err(cause) = follower.next().await {
                return Some((Err(cause), None));
            }
        }
    })
    .boxed()
}

fn whole(follow: bool) -> LogsOptions {
    LogsOptions { follow, stdout: true, stderr: true, tail: "all".to_owned(), ..LogsOptions::default() }
}

impl Follower {
    fn take(&mut self, piece: &LogOutput, skip: usize) {
        let stderr = matches!(piece, LogOutput::StdErr { .. });
        let bytes = piece.as_ref().get(skip..).unwrap_or_default();
        let ([cutter, other], [taken, other_taken]) = (&mut self.cutters, &mut self.taken);
        let (cutter, taken) = if stderr { (other, other_taken) } else { (cutter, taken) };
        *taken += bytes.len();
        self.ready.extend(cutter.push(bytes).into_iter().map(|text| LogLine { stderr, text }));
    }

    /// What the engine wrote while it closed the stream is not always sent to who follows: the whole is read once more, and what was taken
    /// already is skipped. Removed since: then there is no more.
    async fn rest(&mut self) -> Result<(), RuntimeError> {
        let [mut skip, mut skip_other] = self.taken;
        let mut pieces = self.engine.docker.logs(&self.name, Some(whole(false)));
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(cause) if is_missing(&cause) => return Ok(()),
                Err(cause) => return Err(explain(&format!("cannot read the output of {}", self.name), &cause)),
            };
            let skip = if matches!(piece, LogOutput::StdErr { .. }) { &mut skip_other } else { &mut skip };
            let known = (*skip).min(piece.as_ref().len());
            *skip -= known;
            self.take(&piece, known);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<(), RuntimeError> {
        match self.pieces.next().await {
            Some(Ok(piece)) => {
                self.take(&piece, 0);
                Ok(())
            }
            Some(Err(cause)) => Err(explain(&format!("cannot read the output of {}", self.name), &cause)),
            None => {
                self.ended = true;
                // An output that broke off is not one that came to its end.
                if self.engine.inspect(&self.name).await?.is_some_and(|found| convert::runs(&found)) {
                    return Err(hinted(
                        RuntimeErrorKind::Unavailable,
                        format!("the output of {} broke off while it runs", self.name),
                        "follow it again: it is given from the first line on",
                    ));
                }
                self.rest().await?;
                let [stdout, stderr] = &mut self.cutters;
                for (cutter, stderr) in [(stdout, false), (stderr, true)] {
                    self.ready.extend(cutter.finish().map(|text| LogLine { stderr, text }));
                }
                Ok(())
            }
        }
    }
}

//! Follows a container's output, from its first line to its end.

use super::{convert, engine::Engine, trouble::explain};
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
    ready: VecDeque<LogLine>,
    ended: bool,
}

/// The lines. The container is there.
pub(super) fn follow(engine: Arc<Engine>, name: String) -> BoxStream<'static, Result<LogLine, RuntimeError>> {
    let options =
        LogsOptions { follow: true, stdout: true, stderr: true, tail: "all".to_owned(), ..LogsOptions::default() };
    let pieces = engine.docker.logs(&name, Some(options)).boxed();
    let follower = Follower { engine, name, pieces, cutters: Default::default(), ready: VecDeque::new(), ended: false };
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

impl Follower {
    async fn next(&mut self) -> Result<(), RuntimeError> {
        match self.pieces.next().await {
            Some(Ok(piece)) => {
                let stderr = matches!(piece, LogOutput::StdErr { .. });
                let [stdout, other] = &mut self.cutters;
                let lines = if stderr { other } else { stdout }.push(piece.as_ref());
                self.ready.extend(lines.into_iter().map(|text| LogLine { stderr, text }));
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
                let [stdout, stderr] = &mut self.cutters;
                for (cutter, stderr) in [(stdout, false), (stderr, true)] {
                    self.ready.extend(cutter.finish().map(|text| LogLine { stderr, text }));
                }
                Ok(())
            }
        }
    }
}

//! Log lines on standard error: `-v` or `RUST_LOG` say how many; each is scrubbed before it is written.

use hydra_engine::observer::{Happening, Observer};
use std::{
    io::{self, Write},
    sync::Arc,
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Starts logging. `filter` is `RUST_LOG`, which wins over `-v`.
pub fn start(verbose: u8, filter: Option<&str>, json: bool, color: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info,hydra_cli=debug,hydra_engine=debug",
        2 => "debug,hyper=info,hyper_util::client::legacy::connect=debug,h2=info,rustls=info,tower=info",
        _ => "trace",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(level)).unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Scrubbed).with_ansi(color);
    // A second start (in tests) changes nothing.
    let _ = if json { builder.json().try_init() } else { builder.with_target(verbose > 1).try_init() };
}

/// Logs what an engine does, and hands it on.
pub struct Logged(pub Option<Arc<dyn Observer>>);

impl Observer for Logged {
    fn saw(&self, happening: &Happening) {
        match happening {
            Happening::ActionDone { issue, action, detail } => tracing::info!(%issue, action, detail, "done"),
            Happening::StageStarted { job, who, .. } => tracing::info!(%job, who, "started"),
            Happening::StageEnded { key, outcome, .. } => {
                tracing::info!(job = %key.id(), outcome = super::live::word(&outcome.kind), "ended");
            }
            Happening::ReasonChanged { issue, kinds, .. } => tracing::debug!(%issue, ?kinds, "reasons"),
            // The engine itself logs what fails; the rest comes many times a second.
            Happening::ActionFailed { .. }
            | Happening::Trouble { .. }
            | Happening::StageProgress { .. }
            | Happening::Refused { .. }
            | Happening::GateBack { .. } => {}
        }
        if let Some(next) = &self.0 {
            next.saw(happening);
        }
    }
}

#[derive(Clone, Copy)]
struct Scrubbed;

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// One log line, written when it is whole.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = super::mask::scrub(&String::from_utf8_lossy(&self.0));
        // A log that cannot be written must not end the work.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

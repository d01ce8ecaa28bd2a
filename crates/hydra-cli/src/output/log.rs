//! Log lines on standard error: `-v` or `RUST_LOG` say how many; each is scrubbed before it is written.

use std::io::{self, Write};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Starts logging. `filter` is `RUST_LOG`, which wins over `-v`.
pub fn start(verbose: u8, filter: Option<&str>, json: bool, color: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info,hydra_cli=debug,hydra_engine=debug",
        2 => "debug,hyper=info,h2=info,rustls=info",
        _ => "trace",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(level)).unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Scrubbed).with_ansi(color);
    // A second start (in tests) changes nothing.
    let _ = if json { builder.json().try_init() } else { builder.with_target(verbose > 1).try_init() };
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

//! The host, the gate and the peers, all running: who is not measured waits.

use crate::{
    contender::Contender,
    fence::Fence,
    peers,
    place::{Place, Process},
    server::Server,
};
use std::time::Duration;
use tempfile::TempDir;

/// Everything that is compared.
pub(crate) struct Stage {
    pub(crate) direct: Contender,
    pub(crate) gate: Contender,
    /// The gate, asked by CONNECT.
    pub(crate) connect: Contender,
    pub(crate) peers: Vec<Contender>,
    pub(crate) fence: Fence,
    pub(crate) server: Server,
    _place: Process,
    _dir: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let (place, sleeper) = Place::new();
        let server = Server::new(&place);
        let fence = Fence::new(&place, None, "{}");
        let dir = tempfile::tempdir().unwrap();
        let stage = Self {
            direct: Contender::direct(&place),
            gate: fence.contender("the gate", false),
            connect: fence.contender("the gate, by CONNECT", true),
            peers: peers::start(&place, dir.path()),
            fence,
            server,
            _place: sleeper,
            _dir: dir,
        };
        let gates = [&stage.gate, &stage.connect, &stage.direct];
        assert!(gates.iter().all(|contender| contender.serves()), "the host is reached");
        stage
    }
    /// The contenders, in the order in which they take turns: direct, the gate, the gate by CONNECT, the peers.
    pub(crate) fn all(&self) -> Vec<&Contender> {
        [&self.direct, &self.gate, &self.connect].into_iter().chain(&self.peers).collect()
    }
}

/// The value below which this part of all lies.
pub(crate) fn quantile(all: &mut [Duration], part: f64) -> Duration {
    all.sort_unstable();
    all[((all.len() - 1) as f64 * part).round() as usize]
}

/// In microseconds.
pub(crate) fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

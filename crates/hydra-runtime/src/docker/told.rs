//! What the gate of a job has told: so far, or everything, at its end.

use super::{
    convert::{self, LABEL_PROOF, labels},
    engine::Engine,
    trouble::{explain, is_missing, status},
};
use bollard::query_parameters::StopContainerOptions;
use hydra_core::{SignedDuration, egress::gate::GateLine, ports::RuntimeError};

/// How long a gate may take to say everything, in seconds.
const GOODBYE: i32 = 5;
/// What ends within so long of each other ended for one reason.
const TOGETHER: SignedDuration = SignedDuration::from_secs(15);
/// It does not run any more.
const NOT_MODIFIED: u16 = 304;

impl Engine {
    /// What the gate of a job has told so far, and whether it serves on. Empty where there is none.
    pub(super) async fn told_so_far(&self, job: &str) -> Result<Vec<GateLine>, RuntimeError> {
        let Some(gate) = self.gate_of(job).await? else { return Ok(Vec::new()) };
        // First: what a gate says before it ends is read after its end was seen.
        let gone = self.gone_for_good(job, &gate).await?;
        let mut lines = self.lines(job, &gate).await?;
        lines.extend(gone);
        Ok(lines)
    }

    /// Ends the gate of a job and returns everything that it told. Empty where there is none.
    pub(super) async fn told(&self, job: &str) -> Result<Vec<GateLine>, RuntimeError> {
        let Some(gate) = self.gate_of(job).await? else { return Ok(Vec::new()) };
        let gone = self.gone_for_good(job, &gate).await?;
        let options = StopContainerOptions { t: Some(GOODBYE), signal: Some("SIGTERM".to_owned()) };
        match self.docker.stop_container(&gate, Some(options)).await {
            Ok(()) => {}
            Err(cause) if is_missing(&cause) || status(&cause) == Some(NOT_MODIFIED) => {}
            Err(cause) => return Err(explain(&format!("cannot read what the gate of {job} told"), &cause)),
        }
        let mut lines = self.lines(job, &gate).await?;
        lines.extend(gone);
        Ok(lines)
    }

    /// Whether a gate has ended without the engine starting it again, while its job was at work. One that ends after its job was ended here,
    /// however it took that; of two that end within seconds of each other, the engine itself or the machine went down. A job that is not there
    /// any more has lost nothing.
    async fn gone_for_good(&self, job: &str, gate: &str) -> Result<Option<GateLine>, RuntimeError> {
        let found = self.inspect(gate).await?;
        if found.as_ref().is_some_and(convert::stays) {
            return Ok(None);
        }
        let Some(job) = self.inspect(job).await? else { return Ok(None) };
        let both = convert::ended_at(&job).zip(found.as_ref().and_then(convert::ended_at));
        let without = convert::runs(&job) || both.is_some_and(|(job, gate)| job.duration_since(gate) >= TOGETHER);
        let exit = found.and_then(|found| found.state).and_then(|state| state.exit_code);
        Ok(without.then_some(GateLine::Gone { exit }))
    }

    async fn gate_of(&self, job: &str) -> Result<Option<String>, RuntimeError> {
        let parts = self.parts(job).await?;
        Ok(parts.into_iter().find(|(_, role, _)| role == "gate").map(|(gate, _, _)| gate))
    }

    async fn lines(&self, job: &str, gate: &str) -> Result<Vec<GateLine>, RuntimeError> {
        let made = self.inspect(job).await?.map(|found| labels(&found)).unwrap_or_default();
        let proved = made.get(LABEL_PROOF).and_then(|proof| serde_json::from_str(proof).ok()).map(GateLine::Proved);
        let text = self.said(gate, true, false).await?;
        // A line that is cut is none.
        let told = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(proved.into_iter().chain(told).collect())
    }
}

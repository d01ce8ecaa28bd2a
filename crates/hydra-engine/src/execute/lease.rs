//! The lease: taken, renewed at half its time and released by compare-and-swap. Without it no effect of the issue is made.

use super::{Effect, Fault};
use crate::engine::{Died, Engine, Mine};
use hydra_core::{
    CommitSha, Generation, IssueKey, Timestamp,
    ports::{Held, LeaseRecord, Swap},
};

/// Version of the lease record.
const SCHEMA: u32 = 1;

impl Engine {
    pub(super) async fn take_lease(
        &mut self,
        key: &IssueKey,
        before: Option<&CommitSha>,
        generation: Generation,
    ) -> Result<Effect, Fault> {
        let record = self.lease_record(generation);
        // A time-out may hide a swap that won: the next look reads who holds it before anything is tried again.
        match self.shared.ports.leases.swap(key, before, Some(&record)).await? {
            Swap::Won(Some(oid)) => {
                self.leases.insert(key.clone(), Mine { held: Held { oid, record }, generation });
                Ok(Effect::made(format!("generation {generation}")))
            }
            Swap::Won(None) | Swap::Lost => Err(Fault::Moved("another orchestrator took the lease".into())),
        }
    }

    pub(super) async fn release_lease(&mut self, key: &IssueKey, before: &CommitSha) -> Result<Effect, Fault> {
        let held = self.leases.remove(key);
        // It may have been renewed since it was seen.
        let before = held.as_ref().map_or(before, |mine| &mine.held.oid);
        match self.shared.ports.leases.swap(key, Some(before), None).await? {
            Swap::Won(_) => Ok(Effect::made("released")),
            Swap::Lost => Err(Fault::Moved("the lease is somebody else's by now".into())),
        }
    }

    /// Makes sure that the lease is held for the next effect; renews it past half of its time.
    pub(super) async fn keep_lease(&mut self, key: &IssueKey) -> Result<Result<(), Fault>, Died> {
        let now = self.now();
        let Some(mine) = self.leases.get(key) else {
            return Ok(Err(Fault::Moved("the lease is not held".into())));
        };
        if now < half(&mine.held, self.shared.config.policy.lease_ttl) {
            return Ok(Ok(()));
        }
        self.renew(key).await
    }

    /// Renews every lease that is past half of its time. A lost one ends this issue's effects.
    pub(crate) async fn renew_leases(&mut self) -> Result<(), Died> {
        let (now, ttl) = (self.now(), self.shared.config.policy.lease_ttl);
        let due: Vec<IssueKey> =
            self.leases.iter().filter(|(_, mine)| now >= half(&mine.held, ttl)).map(|(key, _)| key.clone()).collect();
        for key in due {
            if let Err(fault) = self.renew(&key).await? {
                tracing::warn!(issue = %key, ?fault, "the lease was not renewed");
            }
        }
        Ok(())
    }

    async fn renew(&mut self, key: &IssueKey) -> Result<Result<(), Fault>, Died> {
        const NAME: &str = "renew-lease";
        let Some(mine) = self.leases.get(key).cloned() else { return Ok(Err(Fault::Moved("not held".into()))) };
        self.before(NAME)?;
        let record = self.lease_record(mine.generation);
        let swap = self.shared.ports.leases.swap(key, Some(&mine.held.oid), Some(&record)).await;
        self.after(NAME)?;
        Ok(match swap {
            Ok(Swap::Won(Some(oid))) => {
                let generation = mine.generation;
                self.leases.insert(key.clone(), Mine { held: Held { oid, record }, generation });
                Ok(())
            }
            Ok(Swap::Won(None) | Swap::Lost) => {
                self.leases.remove(key);
                self.known.edit(key, |memory| memory.dirty = true);
                Err(Fault::Moved("the lease was lost".into()))
            }
            Err(error) => {
                // The swap may have won all the same; an id that does not fit any more is read anew by the next look.
                if self.now() >= mine.held.record.expires_at {
                    self.leases.remove(key);
                }
                self.known.edit(key, |memory| memory.dirty = true);
                Err(error.into())
            }
        })
    }

    /// When the next lease must be renewed.
    pub(crate) fn next_renewal(&self) -> Option<Timestamp> {
        let ttl = self.shared.config.policy.lease_ttl;
        self.leases.values().map(|mine| half(&mine.held, ttl)).min()
    }

    fn lease_record(&self, generation: Generation) -> LeaseRecord {
        let config = &self.shared.config;
        let expires_at = self.now().checked_add(config.policy.lease_ttl).unwrap_or(Timestamp::MAX);
        LeaseRecord { schema: SCHEMA, owner: config.owner.clone(), generation, expires_at }
    }
}

fn half(held: &Held, ttl: std::time::Duration) -> Timestamp {
    held.record.expires_at.checked_sub(ttl / 2).unwrap_or(Timestamp::MIN)
}

//! The weather: which calls fail, how, and how long they take, by a seed.

use super::Plan;
use crate::{
    trouble::{Call, Fate, Trouble, Whom, Woe},
    world::VirtualClock,
};
use hydra_core::{SignedDuration, ports::Clock as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

struct Sky {
    dice: StdRng,
    clock: Arc<VirtualClock>,
    /// A call fails before its effect; a write is done and its answer lost; a call is slow.
    refused: f64,
    unanswered: f64,
    slow: f64,
    /// The container engine is away until then.
    engine_away: Option<Instant>,
    engine_fails: bool,
}

/// Lets it loose.
pub(super) fn over(trouble: &Trouble, plan: &Plan, clock: Arc<VirtualClock>) {
    let mut dice = StdRng::seed_from_u64(plan.seed ^ 0x0BAD);
    let mut rate = |most: f64| if dice.random_bool(0.2) { 0.0 } else { dice.random_range(0.0..most) };
    let (refused, unanswered, slow) = (rate(0.08), rate(0.08), rate(0.3));
    let mut sky = Sky { dice, clock, refused, unanswered, slow, engine_away: None, engine_fails: plan.kills };
    trouble.by(move |call| sky.fate(call));
}

impl Sky {
    fn fate(&mut self, call: Call) -> Fate {
        let mut fate = Fate::default();
        if call.name == "line" {
            // A stream that is being read comes from an engine that is there; now and then it breaks.
            fate.before = (self.engine_fails && self.dice.random_bool(0.02)).then_some(Woe::Outage);
            return fate;
        }
        if self.dice.random_bool(self.slow) {
            fate.takes = Duration::from_millis(self.dice.random_range(1..8_000));
        }
        if call.whom == Whom::Runtime && !self.engine_fails {
            return fate;
        }
        if call.whom == Whom::Runtime && self.engine_is_away() || self.dice.random_bool(self.refused) {
            fate.before = Some(self.woe(call));
        } else if call.writes && self.dice.random_bool(self.unanswered) {
            fate.after = Some(self.woe(call));
        }
        fate
    }
    /// A bad gateway, or a secondary limit with a time.
    fn woe(&mut self, call: Call) -> Woe {
        if call.whom == Whom::Forge && self.dice.random_bool(0.2) {
            let wait = SignedDuration::from_secs(self.dice.random_range(10..600));
            return Woe::Limited(self.clock.now().checked_add(wait).unwrap());
        }
        Woe::Outage
    }
    fn engine_is_away(&mut self) -> bool {
        let now = Instant::now();
        if self.dice.random_bool(0.004) {
            self.engine_away = Some(now + Duration::from_secs(self.dice.random_range(10..900)));
        }
        self.engine_away.is_some_and(|until| now < until)
    }
}

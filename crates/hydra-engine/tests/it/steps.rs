//! Every world ends: so many looks at its clock and calls of its ports, and no more. Under virtual time a loop that goes round for ever takes
//! no time at all, only memory; it fails here instead, whoever turns it. What runs in a world runs on its thread.

use std::cell::Cell;

/// At most, from the making of a world on: ten times what the longest story needs, a board of 10,000 issues.
const MOST: u64 = 1_000_000;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(MOST) };
}

/// A world begins.
pub(crate) fn begin() {
    LEFT.set(MOST);
}
/// How many it took so far.
pub(crate) fn taken() -> u64 {
    MOST - LEFT.get()
}
/// One more step. A task that panics here is put in its place by the next one, which panics too, and so does the loop at last.
pub(crate) fn one() {
    let left = LEFT.get().checked_sub(1);
    LEFT.set(left.unwrap_or_else(|| panic!("it goes round: {MOST} steps and no end")));
}

mod tests {
    use crate::{
        trouble::{Call, Whom, Woe},
        world::{World, well},
    };
    use hydra_core::ports::{Clock as _, ForgeError};

    /// A world that is almost at its end.
    fn late() -> World {
        let world = World::new(well);
        super::LEFT.set(100);
        world
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "it goes round")]
    async fn a_loop_that_looks_at_the_clock_ends() {
        let world = late();
        loop {
            world.clock.now();
        }
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "it goes round")]
    async fn an_engine_whose_time_is_over_ends_with_all_its_tasks() {
        let world = late();
        world.run(&mut world.engine("1")).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "it goes round")]
    async fn a_loop_that_calls_a_port_ends() {
        let (world, call) = (late(), Call::read(Whom::Forge, "listing"));
        loop {
            world.trouble.call(call, async || Err::<(), ForgeError>(Woe::Outage.into())).await.ok();
        }
    }
}

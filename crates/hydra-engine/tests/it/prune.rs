//! What `prune` takes away of jobs that are gone.

use crate::world::{World, key, well};
use hydra_core::{Generation, Stage, job::JobKey, ports::Runtime as _};

#[tokio::test(start_paused = true)]
async fn parts_of_a_job_that_is_gone_are_named_and_then_taken_away() {
    let world = World::new(well);
    let job = JobKey { issue: key(7), generation: Generation(1), stage: Stage::Build, round: 0, attempt: 0 }.id();
    world.runtime.leave(job.clone());
    let mut engine = world.engine("one");
    let would = engine.prune(true).await.unwrap();
    assert_eq!(would.jobs.iter().map(|pruned| &pruned.job).collect::<Vec<_>>(), [&job]);
    assert_eq!(world.runtime.remains().await.unwrap(), std::slice::from_ref(&job), "a dry run removes nothing");
    let done = engine.prune(false).await.unwrap();
    assert_eq!((done.jobs.len(), done.failures.len()), (1, 0));
    assert!(done.jobs[0].why.contains("parts of it are left"), "{:?}", done.jobs);
    assert_eq!(world.runtime.remains().await.unwrap(), []);
    assert!(engine.prune(false).await.unwrap().jobs.is_empty());
}

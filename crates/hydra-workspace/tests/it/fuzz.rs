//! Deliveries, fuzzed: whatever the bytes are, they are taken apart or refused as the delivery's own fault, and nothing of a refused one stays.

use crate::fixture::*;
use hydra_core::ports::{Workspace as _, WorkspaceErrorKind};
use hydra_fuzz::fuzz;

#[test]
fn deliveries() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::new();
    let parent = tokio.block_on(world.tips()).base;
    world.write("src/a.sh", "echo aa\n");
    world.commit("one");
    let small = world.delivery(&parent);
    world.write("src/new.sh", "echo new\n");
    world.commit("two");
    let whole = world.bundle(&["hydra-result"]);
    let corpus = [small, world.delivery(&parent), whole];
    let mirror = world.dir.path().join("state/repos/acme/shop.git");
    let report = fuzz("delivery", &corpus, |bytes| {
        let seen = tokio.block_on(world.workspace.inspect(&repo(), &parent, bytes));
        let left =
            std::fs::read_dir(world.dir.path().join("state/quarantine")).map(Iterator::count).unwrap_or_default();
        assert_eq!(left, 0, "the quarantine is empty again");
        match seen {
            Ok(delivery) => {
                assert_eq!(delivery.refs.keys().collect::<Vec<_>>(), ["refs/heads/hydra-result"]);
                git(&mirror, &["cat-file", "-e", delivery.head.as_str()]);
                format!("ok {}", delivery.commits.len())
            }
            Err(error) => {
                assert_eq!(error.kind, WorkspaceErrorKind::Refused, "{error}");
                assert!(!error.message.is_empty() && error.message.len() < 4_000, "{} bytes", error.message.len());
                error.message
            }
        }
    });
    assert!(report.saw("ok") && report.answers.len() > 2, "{report:?}");
    // None of it has touched the branches.
    assert_eq!(tokio.block_on(world.tips()).base, parent);
    assert_eq!(git(&mirror, &["fsck", "--no-dangling", "--no-progress"]), "");
}

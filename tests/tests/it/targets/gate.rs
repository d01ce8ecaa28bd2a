//! The real CLI whose gate dies in the middle of its work.

use super::{is_ready, package::Package, stage::Target};
use crate::stories::hands::holds;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn a_gate_that_dies_under_the_real_cli_comes_back_and_the_build_goes_on() {
    let package = Package::named("cachetools");
    let target = Target::of(&package, &package.to, None).await;
    tokio::join!(target.run(), target.kill_gate("build", 3));
    is_ready(&target, &package);
    assert_eq!(target.stages()[0], "build: pass", "no second attempt: {}", target.told());
    holds(&target.egress("build"), &["its gate broke down once and came back"]);
    assert_eq!(target.left(), "", "containers or volumes are left");
}

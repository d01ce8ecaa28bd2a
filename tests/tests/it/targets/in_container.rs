//! The whole pipeline in mode `in-container`: the wrapper fences each container itself, and the model's credential is in its environment.

use super::{
    differences, failed_calls,
    package::Package,
    stage::{Play, Target},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn the_same_release_is_built_judged_and_made_ready_in_mode_in_container() {
    let package = Package::named("cachetools");
    let egress = "mode = \"in-container\"".to_owned();
    let target = Target::with(&package, &package.to, None, Play { egress, ..Play::default() }).await;
    target.run().await;
    let stages = ["build: pass", "quality: pass", "code-review: pass", "security-review: pass"];
    assert_eq!(target.stages(), stages, "{}", target.told());
    let pull = target.pull();
    assert!(!pull.draft, "{}", target.told());
    assert_eq!(differences(&target.tree(&pull.head), &package.repository(&package.to)), [""; 0]);
    // Each agent was fenced by its own wrapper, step by step, before it began.
    let logs = target.logs();
    let agents: Vec<&String> =
        logs.iter().filter(|(path, _)| !path.contains("-quality-")).map(|(_, log)| log).collect();
    assert_eq!(agents.len(), 3, "{:?}", logs.keys());
    for log in agents {
        let at = |words: &str| log.find(words).unwrap_or_else(|| panic!("{words:?} is not in:\n{log}"));
        let steps = [
            "apply: IPv6, then IPv4",
            "drop: no capability is left",
            "proved again",
            "sockets: of Unix",
            "claude with claude-",
        ];
        assert!(steps.is_sorted_by_key(|words| at(words)), "in this order: {steps:?}");
        assert_eq!(failed_calls(log), [""; 0]);
    }
    assert_eq!(target.left(), "", "containers or volumes are left");
}

//! The real CLI behind its gate when accounts and budgets end: the gate asks on with the next account, and stops what is spent.

use super::{
    is_ready_at_once,
    package::Package,
    stage::{ACCOUNTS, Play, Target},
};
use crate::stories::hands::holds;
use hydra_core::{Stage, Tokens};
use hydra_sim::model::{Adjust, Fault, ModelSim};

/// Words of a stream that tells of trouble with the provider.
const TROUBLE: [&str; 3] = ["rate_limit", "api_retry", "\"trouble\""];

/// The model is behind TLS, on a host that no agent can name; in the middle of the build the first account reaches its limit.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn an_accounts_limit_in_the_middle_of_a_session_is_nothing_that_the_real_cli_could_notice() {
    let package = Package::named("cachetools");
    let limit = Adjust { step: Some(3), fault: Some(Fault::Limit), ..Adjust::of(Stage::Build) };
    let target =
        Target::with(&package, &package.to, None, Play { adjust: vec![limit], tls: true, ..Play::default() }).await;
    target.run().await;
    is_ready_at_once(&target, &package);
    // One job of the build, with one of the CLI in it, which was told of nothing.
    let builds: Vec<String> =
        target.logs().into_iter().filter(|(path, _)| path.contains("-build-")).map(|(_, log)| log).collect();
    assert_eq!(builds.len(), 1);
    let troubled: Vec<&str> = builds[0].lines().filter(|line| TROUBLE.iter().any(|word| line.contains(word))).collect();
    assert_eq!(troubled, [""; 0], "{}", target.told());
    let [first, second] = ACCOUNTS.map(ModelSim::credential_tag);
    let asked = target.model.requests();
    let limited: Vec<_> = asked.iter().filter(|asked| asked.status == 429).collect();
    assert!(limited.len() == 1 && limited[0].credential == first, "{limited:#?}");
    let job = limited[0].job.as_deref().expect("a session");
    let of_the_build = |credential: &str| {
        asked
            .iter()
            .filter(|asked| asked.job.as_deref() == Some(job) && asked.credential == credential && asked.status == 200)
            .count()
    };
    assert!(of_the_build(&first) >= 2 && of_the_build(&second) >= 2, "{asked:#?}");
    // It rests for every other job too.
    let reviews = asked.iter().filter(|asked| asked.job.as_deref().is_some_and(|job| job.contains("review")));
    assert!(reviews.clone().count() > 0 && reviews.clone().all(|asked| asked.credential == second), "{asked:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn a_spent_budget_stops_the_real_cli_and_nothing_more_is_asked() {
    let package = Package::named("cachetools");
    let dear = Tokens { input: 40_000, output: 1_000, ..Tokens::default() };
    let usage = Adjust { usage: Some(dear), ..Adjust::of(Stage::Build) };
    let more = "\n[budget]\nissue_tokens = 100000\n".to_owned();
    let target =
        Target::with(&package, &package.to, None, Play { adjust: vec![usage], more, tls: true, ..Play::default() })
            .await;
    target.run().await;
    let used = target.model.usage().all.tokens.total();
    // The third answer is the last.
    assert!((100_000..100_000 + 41_000).contains(&used), "{used}: {}", target.told());
    assert!(target.github.pulls(&target.repo).is_empty(), "{}", target.told());
    holds(&target.status().to_lowercase(), &["budget"]);
    assert_eq!(target.left(), "", "containers or volumes are left");
}

//! The adapter against the simulator, which keeps state: told as a day in one repository.

use crate::shape::repo;
use hydra_core::{
    CommitSha, Generation, IssueKey, IssueNumber, PullNumber, TokenRole,
    ports::{
        Applied, Board as _, Forge as _, ForgeErrorKind, ForgeWrite, ForgeWriter as _, InlineComment, Marker, PullQuery,
    },
    view::{Mergeable, Permission, PullState, RepoLabel, StatusState, ThreadNumber, TokenKind},
};
use hydra_github::{GitHub, GitHubConfig};
use hydra_sim::github::{Fault, FaultKind, RepoSeed, Role, Sim, SimConfig, Token, When};
use std::time::Duration;

pub(crate) const REPO: &str = "acme/shop";
const LOGINS: [(TokenRole, &str); 4] = [
    (TokenRole::Builder, "al-gorithm"),
    (TokenRole::Reviewer, "rita-view"),
    (TokenRole::Security, "sam-fence"),
    (TokenRole::Orchestrator, "hydra-bot"),
];

fn secret(login: &str) -> String {
    format!("github_pat_{login}_0123456789abcdefghij")
}

/// Acme's shop: four machine accounts, Alice who may do everything, a board, an issue with the trigger label.
pub(crate) async fn acme(config: SimConfig) -> (Sim, GitHub) {
    let sim = Sim::start(config).await.unwrap();
    sim.org("acme");
    let mut seed = RepoSeed::new(REPO)
        .file("src/basket.js", "export const add = (a, b) => a + b;\n")
        .role("alice", Role::Admin)
        .role("terry", Role::Triage)
        .label("ready-to-build", "0e8a16", "Hydra may build it");
    for (_, login) in LOGINS {
        seed = seed.role(login, Role::Write);
    }
    sim.repo(seed).unwrap();
    let mut github = GitHubConfig::new(sim.base_url().parse().unwrap());
    for (role, login) in LOGINS {
        sim.token(Token::fine_grained(&secret(login), login).allow_work());
        sim.member("acme", login);
        github.tokens.insert(role, secret(login).into());
    }
    let board = sim.board("acme", "Work", &["Todo", "In progress", "Review"]);
    github.project = Some(("acme".to_owned(), board));
    github.retry_delay = Duration::from_millis(5);
    github.mergeable_delay = Duration::from_millis(5);
    let issue = sim.open_issue(REPO, "alice", "A basket", "Please add a basket.").unwrap();
    assert_eq!(issue, 1);
    sim.add_label(REPO, 1, "ready-to-build", "alice").unwrap();
    sim.reset_log();
    (sim, GitHub::new(github).unwrap())
}

pub(crate) fn key() -> IssueKey {
    IssueKey { repo: repo(), number: IssueNumber(1) }
}
pub(crate) fn marker(purpose: &str, key: &str) -> Marker {
    Marker { purpose: purpose.into(), generation: Generation(1), key: key.into() }
}
pub(crate) fn comment(body: &str) -> ForgeWrite {
    ForgeWrite::Comment { repo: repo(), number: ThreadNumber(1), marker: marker("status", ""), body: body.into() }
}
pub(crate) fn open() -> ForgeWrite {
    ForgeWrite::OpenPull {
        repo: repo(),
        head: "hydra/basket".parse().unwrap(),
        base: "main".parse().unwrap(),
        title: "A basket".into(),
        marker: marker("pull", ""),
        body: "It adds a basket.".into(),
    }
}
pub(crate) fn push(sim: &Sim, text: &str) -> CommitSha {
    sim.push(REPO, "hydra/basket", "al-gorithm", "Basket", &[("src/basket.js", Some(text))]).unwrap().parse().unwrap()
}
pub(crate) const BASKET: &str = "export const add = (a, b) => a + b;\nexport const basket = [];\n";

async fn made(github: &GitHub, role: TokenRole, write: &ForgeWrite) -> u64 {
    match github.apply(role, write).await.unwrap() {
        Applied::Made(Some(number)) => number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_role_is_somebody_else() {
    let (_sim, github) = acme(SimConfig::default()).await;
    for (role, login) in LOGINS {
        let seen = github.identity(role).await.unwrap();
        assert_eq!((seen.login.as_str(), seen.kind), (login, TokenKind::FineGrained));
        assert_eq!(github.may_push(role, &repo()).await, Ok(true));
    }
    assert_eq!(github.identity(TokenRole::Applier).await.unwrap().login.as_str(), "rita-view");
}

#[tokio::test]
async fn what_people_may_do_is_told_apart() {
    let (_sim, github) = acme(SimConfig::default()).await;
    for (login, role) in [("alice", Permission::Admin), ("terry", Permission::Triage), ("hydra-bot", Permission::Write)]
    {
        assert_eq!(github.permission(&repo(), &login.parse().unwrap()).await, Ok(role), "{login}");
    }
}

#[tokio::test]
async fn a_second_look_at_an_unchanged_repository_costs_nothing_of_the_limit() {
    let (sim, github) = acme(SimConfig::default()).await;
    let look = || async {
        let view = github.repository(&repo()).await.unwrap();
        (view, github.listing(&repo(), "ready-to-build").await.unwrap())
    };
    let first = look().await;
    assert_eq!(first.0.labels[0].name, "ready-to-build");
    assert_eq!(first.1.issues.len(), 1);
    sim.reset_log();
    assert_eq!(look().await, first);
    let statuses: Vec<_> = sim.log().iter().map(|l| l.status).collect();
    assert_eq!(statuses, [Some(304); 4]);
    assert_eq!(sim.writes(), 0);
}

#[tokio::test]
async fn a_listing_reads_every_page() {
    let (sim, github) = acme(SimConfig::default()).await;
    for n in 0..250 {
        let number = sim.open_issue(REPO, "alice", &format!("Wish {n}"), "").unwrap();
        sim.add_label(REPO, number, "ready-to-build", "alice").unwrap();
    }
    let seen = github.listing(&repo(), "ready-to-build").await.unwrap();
    assert_eq!(seen.issues.len(), 251);
    sim.add_fault(Fault::new("GET", "/repos/acme/shop/issues", When::Nth(2), FaultKind::ErrorBefore(502)));
    assert_eq!(github.listing(&repo(), "ready-to-build").await, Ok(seen), "one bad answer is read again");
    sim.add_fault(Fault::new("GET", "/repos/acme/shop/issues", When::Always, FaultKind::ErrorBefore(502)));
    assert_eq!(github.listing(&repo(), "ready-to-build").await.unwrap_err().kind, ForgeErrorKind::Transient);
}

#[tokio::test]
async fn an_issue_shows_who_asked_and_when_it_was_changed() {
    let (sim, github) = acme(SimConfig::default()).await;
    for n in 0..120 {
        sim.comment(REPO, 1, "terry", &format!("thought {n}")).unwrap();
    }
    let seen = github.issue(&key()).await.unwrap();
    assert_eq!((seen.title.as_str(), seen.body.as_str()), ("A basket", "Please add a basket."));
    assert_eq!(seen.labels, ["ready-to-build"]);
    assert_eq!((seen.label_events[0].actor.as_str(), seen.label_events[0].added), ("alice", true));
    assert_eq!(seen.comments.len(), 120);
    assert_eq!(seen.comments[119].body, "thought 119");
    assert_eq!(seen.edited_at, None);
    sim.edit_issue(REPO, 1, "terry", None, Some("Please add two.")).unwrap();
    let seen = github.issue(&key()).await.unwrap();
    assert!(seen.edited_at.unwrap() >= seen.label_events[0].at);
    let nowhere = IssueKey { repo: repo(), number: IssueNumber(99) };
    assert_eq!(github.issue(&nowhere).await.unwrap_err().kind, ForgeErrorKind::Missing);
}

#[tokio::test]
async fn one_status_comment_is_edited_in_place() {
    let (sim, github) = acme(SimConfig::default()).await;
    let id = made(&github, TokenRole::Orchestrator, &comment("building")).await;
    assert_eq!(github.apply(TokenRole::Orchestrator, &comment("built")).await, Ok(Applied::Made(Some(id))));
    assert_eq!(github.apply(TokenRole::Orchestrator, &comment("built")).await, Ok(Applied::AlreadyThere(Some(id))));
    let other = made(&github, TokenRole::Reviewer, &comment("mine")).await;
    assert_ne!(other, id, "another identity has a comment of its own");
    let stored = sim.issue(REPO, 1).unwrap().comments;
    let bodies: Vec<_> = stored.iter().map(|c| c.body.as_str()).collect();
    assert_eq!(bodies, ["<!-- hydra:status g1 -->\nbuilt", "<!-- hydra:status g1 -->\nmine"]);
}

#[tokio::test]
async fn no_fault_makes_a_second_comment() {
    for fault in
        [FaultKind::ErrorAfter(502), FaultKind::ResetAfter, FaultKind::ErrorBefore(500), FaultKind::ResetBefore]
    {
        let (sim, github) = acme(SimConfig::default()).await;
        sim.add_fault(Fault::new("POST", "*/comments", When::Nth(1), fault.clone()));
        let mut tries = 0;
        while github.apply(TokenRole::Orchestrator, &comment("building")).await.is_err() {
            tries += 1;
            assert!(tries < 3, "{fault:?}");
        }
        assert_eq!(sim.issue(REPO, 1).unwrap().comments.len(), 1, "{fault:?}");
        let after = matches!(fault, FaultKind::ErrorAfter(_) | FaultKind::ResetAfter);
        assert_eq!(tries, i32::from(!after), "{fault:?}: an effect that took place is no failure");
    }
}

#[tokio::test]
async fn labels_change_only_where_they_differ() {
    let (sim, github) = acme(SimConfig::default()).await;
    let change = ForgeWrite::Labels {
        repo: repo(),
        number: ThreadNumber(1),
        add: vec!["build:running".into()],
        remove: vec!["ready-to-build".into(), "build:queued".into()],
    };
    assert_eq!(github.apply(TokenRole::Orchestrator, &change).await, Ok(Applied::Made(None)));
    assert_eq!(sim.issue(REPO, 1).unwrap().labels, ["build:running"]);
    let writes = sim.writes();
    assert_eq!(github.apply(TokenRole::Orchestrator, &change).await, Ok(Applied::AlreadyThere(None)));
    assert_eq!(sim.writes(), writes);
}

#[tokio::test]
async fn the_vocabulary_is_brought_in_line() {
    let (sim, github) = acme(SimConfig::default()).await;
    let label = |name: &str| ForgeWrite::DefineLabel {
        repo: repo(),
        label: RepoLabel { name: name.into(), color: "5319e7".into(), description: "It is done".into() },
    };
    made(&github, TokenRole::Orchestrator, &label("done")).await;
    made(&github, TokenRole::Orchestrator, &label("Ready-To-Build")).await;
    assert_eq!(github.apply(TokenRole::Orchestrator, &label("done")).await, Ok(Applied::AlreadyThere(None)));
    let names: Vec<_> = sim.labels(REPO).into_iter().map(|l| (l.name, l.color)).collect();
    let expected = [("Ready-To-Build", "5319e7"), ("done", "5319e7")].map(|(n, c)| (n.to_owned(), c.to_owned()));
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>(), expected.iter().collect());
}

#[tokio::test]
async fn a_pull_request_goes_from_draft_to_merged() {
    let (sim, github) = acme(SimConfig { lazy_mergeable: true, ..SimConfig::default() }).await;
    let head = push(&sim, BASKET);
    sim.add_fault(Fault::new("POST", "*/pulls", When::Nth(1), FaultKind::ErrorAfter(502)));
    let number = PullNumber(made(&github, TokenRole::Builder, &open()).await);
    assert_eq!(github.apply(TokenRole::Builder, &open()).await, Ok(Applied::AlreadyThere(Some(number.0))));
    assert_eq!(sim.pulls(REPO).len(), 1);

    let seen = github.pulls(&repo(), &PullQuery::Head("hydra/basket".parse().unwrap())).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].draft, seen[0].state, seen[0].mergeable), (true, PullState::Open, Mergeable::Clean));
    assert_eq!((seen[0].author.as_str(), &seen[0].head), ("al-gorithm", &head));
    assert_eq!(seen[0].body, "<!-- hydra:pull g1 -->\nIt adds a basket.");

    let edit = ForgeWrite::EditPull {
        repo: repo(),
        number,
        title: "A basket, tested".into(),
        marker: marker("pull", ""),
        body: "More words.".into(),
    };
    made(&github, TokenRole::Builder, &edit).await;
    assert_eq!(github.apply(TokenRole::Builder, &edit).await, Ok(Applied::AlreadyThere(Some(number.0))));

    let verdict = ForgeWrite::Review {
        repo: repo(),
        number,
        commit: head.clone(),
        marker: marker("verdict", "code-review"),
        body: "One finding.".into(),
        comments: vec![
            InlineComment { path: "src/basket.js".into(), line: 2, body: "needs a test".into() },
            InlineComment { path: "README.md".into(), line: 7, body: "say so".into() },
        ],
    };
    let review = made(&github, TokenRole::Reviewer, &verdict).await;
    assert_eq!(github.apply(TokenRole::Reviewer, &verdict).await, Ok(Applied::AlreadyThere(Some(review))));

    let status = |state, description: &str| ForgeWrite::Status {
        repo: repo(),
        commit: head.clone(),
        context: "hydra/code-review".into(),
        state,
        description: description.into(),
        url: None,
    };
    made(&github, TokenRole::Orchestrator, &status(StatusState::Pending, "reading")).await;
    made(&github, TokenRole::Orchestrator, &status(StatusState::Success, "good")).await;
    let again = github.apply(TokenRole::Orchestrator, &status(StatusState::Success, "good")).await;
    assert!(matches!(again, Ok(Applied::AlreadyThere(_))));

    let seen = github.pulls(&repo(), &PullQuery::Number(number)).await.unwrap().remove(0);
    assert_eq!(seen.title, "A basket, tested");
    assert_eq!((seen.reviews.len(), seen.reviews[0].id), (1, review));
    assert_eq!((seen.reviews[0].state.as_str(), seen.reviews[0].author.as_str()), ("COMMENTED", "rita-view"));
    assert!(seen.reviews[0].body.ends_with("### Other findings\n\n- `README.md:7` say so"));
    assert_eq!((seen.threads.len(), seen.threads[0].path.as_str()), (1, "src/basket.js"));
    let own = seen.statuses.iter().find(|s| s.context == "hydra/code-review").unwrap();
    assert_eq!((own.state, own.description.as_str()), (StatusState::Success, "good"));
    assert_eq!(own.creator.as_ref().unwrap().as_str(), "hydra-bot");

    let resolve = ForgeWrite::ResolveThread { repo: repo(), number, thread: seen.threads[0].id.clone() };
    assert_eq!(github.apply(TokenRole::Builder, &resolve).await, Ok(Applied::Made(None)));
    assert_eq!(github.apply(TokenRole::Builder, &resolve).await, Ok(Applied::AlreadyThere(None)));

    let ready = ForgeWrite::MarkReady { repo: repo(), number };
    made(&github, TokenRole::Builder, &ready).await;
    assert_eq!(github.apply(TokenRole::Builder, &ready).await, Ok(Applied::AlreadyThere(Some(number.0))));

    let stale = ForgeWrite::Merge { repo: repo(), number, head: "f".repeat(40).parse().unwrap() };
    assert_eq!(github.apply(TokenRole::Orchestrator, &stale).await.unwrap_err().kind, ForgeErrorKind::Conflict);
    let merge = ForgeWrite::Merge { repo: repo(), number, head };
    made(&github, TokenRole::Orchestrator, &merge).await;
    assert_eq!(github.apply(TokenRole::Orchestrator, &merge).await, Ok(Applied::AlreadyThere(Some(number.0))));
    let seen = github.pulls(&repo(), &PullQuery::Number(number)).await.unwrap().remove(0);
    assert_eq!((seen.state, seen.closed_by.unwrap().as_str()), (PullState::Merged, "hydra-bot"));
}

#[tokio::test]
async fn a_conflict_with_the_base_is_seen() {
    let (sim, github) = acme(SimConfig::default()).await;
    push(&sim, BASKET);
    let number = PullNumber(made(&github, TokenRole::Builder, &open()).await);
    sim.push(REPO, "main", "alice", "Mine", &[("src/basket.js", Some("nothing\n"))]).unwrap();
    let seen = github.pulls(&repo(), &PullQuery::Number(number)).await.unwrap().remove(0);
    assert_eq!(seen.mergeable, Mergeable::Conflicting);
}

#[tokio::test]
async fn a_pull_request_that_a_person_closed_is_not_opened_again() {
    let (sim, github) = acme(SimConfig::default()).await;
    push(&sim, BASKET);
    let number = made(&github, TokenRole::Builder, &open()).await;
    sim.close(REPO, number, "alice").unwrap();
    assert_eq!(github.apply(TokenRole::Builder, &open()).await, Ok(Applied::AlreadyThere(Some(number))));
    let seen = github.pulls(&repo(), &PullQuery::Number(PullNumber(number))).await.unwrap().remove(0);
    assert_eq!((seen.state, seen.closed_by.unwrap().as_str()), (PullState::Closed, "alice"));
    let close = ForgeWrite::ClosePull { repo: repo(), number: PullNumber(number) };
    assert_eq!(github.apply(TokenRole::Builder, &close).await, Ok(Applied::AlreadyThere(Some(number))));
}

#[tokio::test]
async fn a_card_is_added_moved_and_left_alone() {
    let (sim, github) = acme(SimConfig::default()).await;
    assert_eq!(github.columns().await.unwrap(), ["Todo", "In progress", "Review"]);
    assert_eq!(github.cards().await.unwrap(), []);
    assert_eq!(github.place(&key(), "Todo").await, Ok(true));
    assert_eq!(github.place(&key(), "Review").await, Ok(true));
    let writes = sim.writes();
    assert_eq!(github.place(&key(), "Review").await, Ok(false));
    assert_eq!(sim.writes(), writes);
    let cards = github.cards().await.unwrap();
    assert_eq!((cards.len(), &cards[0].issue, cards[0].column.as_deref()), (1, &key(), Some("Review")));
    let seen = github.place(&key(), "Elsewhere").await.unwrap_err();
    assert_eq!(seen.to_string(), "the board has no column \"Elsewhere\" (it has Todo, In progress, Review)");
    for n in 0..130 {
        let number = sim.open_issue(REPO, "alice", &format!("Wish {n}"), "").unwrap();
        sim.card("acme", 1, REPO, number, None).unwrap();
    }
    assert_eq!(github.cards().await.unwrap().len(), 131);
    sim.redact_card("acme", 1, REPO, 1).unwrap();
    assert_eq!(github.cards().await.unwrap().len(), 130);
}

#[tokio::test]
async fn a_token_that_may_only_look_is_told_so() {
    let (sim, github) = acme(SimConfig::default()).await;
    let mut config = github.config().clone();
    sim.token(Token::fine_grained("github_pat_looker", "hydra-bot").allow("issues", hydra_sim::github::Access::Read));
    config.tokens.insert(TokenRole::Orchestrator, "github_pat_looker".to_owned().into());
    let looker = GitHub::new(config).unwrap();
    let seen = looker.apply(TokenRole::Orchestrator, &comment("x")).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Permission, "{seen}");
    sim.revoke("github_pat_looker");
    assert_eq!(looker.apply(TokenRole::Orchestrator, &comment("x")).await.unwrap_err().kind, ForgeErrorKind::Auth);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_pull_requests() {
    let (sim, github) = acme(SimConfig::default()).await;
    push(&sim, BASKET);
    let number = made(&github, TokenRole::Builder, &open()).await;
    sim.rename(REPO, "store").unwrap();
    assert_eq!(github.repository(&repo()).await.unwrap().name.to_string(), "acme/store");
    let seen = github.pulls(&repo(), &PullQuery::Head("hydra/basket".parse().unwrap())).await.unwrap();
    assert_eq!(seen.iter().map(|p| p.number.0).collect::<Vec<_>>(), [number]);
    assert_eq!(github.apply(TokenRole::Builder, &open()).await, Ok(Applied::AlreadyThere(Some(number))));
    let change = github.apply(TokenRole::Orchestrator, &comment("still here")).await;
    assert!(matches!(change, Ok(Applied::Made(Some(_)))), "{change:?}");
}

#[tokio::test]
async fn an_archived_repository_says_so() {
    let (sim, github) = acme(SimConfig::default()).await;
    sim.archive(REPO).unwrap();
    let seen = github.apply(TokenRole::Orchestrator, &comment("x")).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Permission);
    assert_eq!(seen.hint.as_deref(), Some("the repository is archived: it can be read only"));
}

#[tokio::test]
async fn a_repository_without_drafts_goes_through_the_title() {
    let (sim, github) = acme(SimConfig::default()).await;
    sim.repo(RepoSeed::new("acme/free").without_drafts().file("a", "1\n").role("al-gorithm", Role::Write)).unwrap();
    sim.push("acme/free", "hydra/basket", "al-gorithm", "Basket", &[("a", Some("2\n"))]).unwrap();
    let free: hydra_core::RepoName = "acme/free".parse().unwrap();
    let ForgeWrite::OpenPull { head, base, title, marker, body, .. } = open() else { unreachable!() };
    let write = ForgeWrite::OpenPull { repo: free.clone(), head, base, title, marker, body };
    let number = made(&github, TokenRole::Builder, &write).await;
    assert_eq!(sim.pulls("acme/free")[0].title, "[draft] A basket");
    let ready = ForgeWrite::MarkReady { repo: free, number: PullNumber(number) };
    made(&github, TokenRole::Builder, &ready).await;
    assert_eq!(github.apply(TokenRole::Builder, &ready).await, Ok(Applied::AlreadyThere(Some(number))));
    assert_eq!(sim.pulls("acme/free")[0].title, "A basket");
}

#[tokio::test]
async fn doctor_sees_limits_and_clocks() {
    let (_sim, github) = acme(SimConfig::default()).await;
    let seen = github.describe(TokenRole::Builder).await.unwrap();
    assert_eq!((seen.identity.login.as_str(), seen.classic, seen.rest.limit), ("al-gorithm", false, 5_000));
    assert!(seen.clock_skew.unwrap().abs() < hydra_core::SignedDuration::from_secs(5));
}

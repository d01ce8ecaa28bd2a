//! Seeded simulation: whole pipelines under virtual time while everything goes wrong that a seed can think of. What must always hold is held
//! at every write and after every cycle; when the weather clears, everything comes to rest, and nothing was lost.
//!
//! `HYDRA_SEED=7` plays one seed and prints what happened; the same seed always plays the same. `HYDRA_SEEDS=0..2000` plays those. A seed
//! that goes round for ever is ended by `steps`, or by the real time, and named.

mod actors;
mod plays;
mod weather;

use crate::{
    end, laws,
    world::{World, key, state_folder},
};
use actors::{Lives, Run};
use hydra_core::{
    IssueNumber, JobId, Usd,
    contract::fake::FakeRuntime,
    plan::Budget,
    ports::{Runtime as _, Selector},
    record::{Need, Phase},
    view::IssueState,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

/// How long nothing may come of any seed, in real time: what takes no step at all is found by that.
const STUCK: Duration = Duration::from_secs(120);

/// Who is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crew {
    /// One orchestrator; its machine's clock may jump.
    One,
    /// Two of one machine: `hydra poll` runs that overlap.
    OneMachine,
    /// Two machines with folders of their own and one container engine.
    SharedEngine,
    /// Two machines, each with its own container engine.
    OwnEngines,
}

/// What a seed stands for.
struct Plan {
    seed: u64,
    crew: Crew,
    issues: u64,
    bad_for: Duration,
    budget: Option<Usd>,
    /// Orchestrators are killed and the container engine fails. Without that a budget is kept to the response.
    kills: bool,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let crews = [Crew::One, Crew::OneMachine, Crew::SharedEngine, Crew::OwnEngines];
        Self {
            seed,
            crew: crews[seed as usize % crews.len()],
            issues: dice.random_range(1..=3),
            bad_for: Duration::from_secs(dice.random_range(1800..7200)),
            budget: dice.random_bool(0.3).then(|| Usd::micros(dice.random_range(50_000..300_000))),
            kills: dice.random_bool(0.7),
        }
    }
}

/// Plays a seed to its end. Returns what happened, line by line.
async fn play(plan: &Plan) -> Vec<String> {
    Run::begin();
    let seed = plan.seed;
    let mut world = World::new(move |spec| plays::of(seed, spec));
    world.policy.issue_budget = Budget { usd: plan.budget, tokens: None };
    for number in 2..=plan.issues {
        world.change(&format!("change-{number}"));
        world.issue(number, &format!("Change: change-{number}\n"));
    }
    let other = FakeRuntime::new("test", world.clock.clone(), move |spec| plays::of(seed, spec));
    weather::over(&world.trouble, plan, world.clock.clone());
    let folder = state_folder();
    let run = Run {
        plan,
        world: &world,
        until: tokio::time::Instant::now() + plan.bad_for,
        dice: Mutex::new(StdRng::seed_from_u64(plan.seed ^ 0x5EED)),
        told: Mutex::default(),
        resting: Mutex::default(),
        awaits: Mutex::default(),
        engines: vec![world.runtime.clone(), other.clone()],
    };
    let here = Lives { machine: "here", folder: world.dir.path(), runtime: &world.runtime };
    let there = match plan.crew {
        Crew::One => None,
        Crew::OneMachine => Some(here),
        Crew::SharedEngine => Some(Lives { machine: "there", folder: folder.path(), ..here }),
        Crew::OwnEngines => Some(Lives { machine: "there", folder: folder.path(), runtime: &other }),
    };
    let second = async {
        if let Some(there) = &there {
            run.orchestrate(there, "b").await;
        }
    };
    futures_util::join!(run.orchestrate(&here, "a"), second, run.people(), run.jumps());
    world.trouble.over();
    run.tell("the weather is fine");
    run.calm(&here, there.as_ref()).await;
    ends_well(&run).await;
    run.tell(format!("{} steps", crate::steps::taken()));
    run.told.into_inner().unwrap()
}

/// Everything rests, nothing is left over, and what every job cost is known.
async fn ends_well(run: &Run<'_>) {
    let world = run.world;
    let mut wrong = world.laws.all();
    for (at, runtime) in run.engines.iter().enumerate() {
        let left = runtime.list(&Selector::Any).await.unwrap();
        wrong.extend(left.iter().map(|job| format!("{} is left at engine {at}: {:?}", job.id, job.status)));
    }
    let state = world.state.lock().unwrap().leases.clone();
    wrong.extend(state.values().map(|held| format!("a lease is left: {:?}", held.record)));
    wrong.extend(laws::of_pulls(&world.state.lock().unwrap()));
    for number in 1..=run.plan.issues {
        wrong.extend(issue_ends_well(run, number));
    }
    let before = world.writes().len();
    let mut fresh = world.engine("fresh");
    let ended = world.run(&mut fresh).await;
    if world.writes().len() != before || ended.writes > 0 {
        wrong.push(format!("a fresh process writes at rest: {:?}", ended.last));
    }
    let told = run.told.lock().unwrap().join("\n");
    assert!(wrong.is_empty(), "seed {}: {}\n\n{told}", run.plan.seed, wrong.join("\n"));
}

fn issue_ends_well(run: &Run<'_>, number: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let record = end::record(run.world, number);
    let state = run.world.state.lock().unwrap();
    let issue = &state.issues[&IssueNumber(number)];
    let wanted = issue.state == IssueState::Open && issue.labels.iter().any(|label| label == "ready-to-build");
    let Some(record) = record else {
        // It was closed before anything was begun.
        return if wanted { vec![format!("#{number} has no record")] } else { wrong };
    };
    if record.phase.kind().is_active() {
        wrong.push(format!("#{number} does not rest: {:?}", record.phase));
    }
    if let Phase::NeedsInput { need: Need::Record, detail } = &record.phase {
        wrong.push(format!("#{number} lost its record: {detail}"));
    }
    // Verdicts: what the record says was judged stands on the pull request.
    let reviews: Vec<&str> = state.pulls.values().flat_map(|pull| &pull.reviews).map(|r| r.body.as_str()).collect();
    for entry in record.stages.iter().filter(|entry| entry.stage.judges()) {
        use hydra_core::record::StageResult::{Broken, Limited, Outage, Pass, Rfi, Running, Stopped, Void};
        let posted = reviews.iter().map(|body| end::envelope(body)).any(|envelope| {
            (envelope.issue == key(number) && envelope.generation == record.generation)
                && (envelope.stage, envelope.round, envelope.attempt) == (entry.stage, entry.round, entry.attempt)
        });
        match entry.result {
            Pass | Void | hydra_core::record::StageResult::Fail if !posted => {
                wrong.push(format!("the verdict of {} is lost ({})", entry.job, entry.result));
            }
            Running => wrong.push(format!("{} is never settled", entry.job)),
            Pass | Void | hydra_core::record::StageResult::Fail | Rfi | Broken | Outage | Limited | Stopped => {}
        }
    }
    // Spend: every turn of every job is counted, and counted once.
    let spend = record.spend();
    let turns = run.world.turns.lock().unwrap();
    let made: u32 = turns.iter().filter(|((of, _), _)| of.0 == number).map(|(_, turns)| turns).sum();
    // Of two engines, one may hold a job that nobody who could write knew of: of a generation that is over, or started by an orchestrator
    // that died before it could say so, and then started anew at the other one.
    let is_lost = run.plan.crew == Crew::OwnEngines && spend.turns < made;
    if spend.turns != made && !is_lost {
        let known = |job: &JobId| record.stages.iter().find(|entry| entry.job == *job).map(|entry| entry.spend.turns);
        let of_job = turns.iter().map(|((_, job), turns)| format!("{job}: {turns}, recorded {:?}", known(job)));
        let all: Vec<String> = of_job.collect();
        wrong.push(format!("#{number}: {} turns are recorded; {made} were made: {}", spend.turns, all.join("; ")));
    }
    if let Some(budget) = run.plan.budget {
        // Two reviews run side by side, each with a response under way. Where nobody can see or stop them, each keeps to what was left of
        // the budget when it was started.
        let unseen = if run.plan.kills { budget } else { Usd::default() };
        let most = budget + unseen + Usd(plays::DEAREST.0 * 2);
        if spend.cost > most {
            wrong.push(format!("#{number}: {} was spent of {budget}", spend.cost));
        }
    }
    wrong
}

fn simulate(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play(&Plan::of(seed)))
}

/// Why a seed failed.
fn fails(seed: u64) -> Option<String> {
    let panic = std::panic::catch_unwind(|| simulate(seed)).err()?;
    let why = panic.downcast_ref::<String>().cloned();
    Some(why.or_else(|| panic.downcast_ref::<&str>().map(|why| (*why).to_owned())).unwrap_or_default())
}

/// Plays many seeds on a few threads; the first that fails is named.
fn play_all(seeds: Range<u64>) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let queue = Arc::new(Mutex::new(seeds.clone()));
    let (told, ends) = mpsc::channel();
    for _ in 0..threads {
        let (queue, told) = (queue.clone(), told.clone());
        // Not joined: one that is stuck ends with the process.
        std::thread::spawn(move || {
            loop {
                let Some(seed) = queue.lock().unwrap().next() else { return };
                told.send((seed, false, None)).unwrap();
                let why = fails(seed);
                told.send((seed, true, why)).unwrap();
            }
        });
    }
    drop(told);
    let (mut failed, mut begun) = (BTreeMap::new(), std::collections::BTreeSet::new());
    let mut left = seeds.clone().count();
    while left > 0 {
        match ends.recv_timeout(STUCK) {
            Ok((seed, false, _)) => _ = begun.insert(seed),
            Ok((seed, true, why)) => {
                begun.remove(&seed);
                failed.extend(why.map(|why| (seed, why)));
                left -= 1;
            }
            Err(_) => panic!("of the seeds {begun:?} none ended in {STUCK:?}; before them {failed:?} failed"),
        }
    }
    let names: Vec<String> = failed.keys().map(ToString::to_string).collect();
    if let Some((seed, why)) = failed.iter().next() {
        panic!("seeds {} fail; HYDRA_SEED={seed} plays the first one again:\n{why}", names.join(", "));
    }
}

/// The seeds that somebody wants, or those of every run, or those of every night.
fn wanted() -> Range<u64> {
    let Some(range) = std::env::var_os("HYDRA_SEEDS") else {
        return 0..if std::env::var_os("HYDRA_NIGHTLY").is_some() { 200 } else { 20 };
    };
    let bounds = range.to_str().and_then(|range| range.split_once(".."));
    let range = bounds.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.expect("HYDRA_SEEDS is a range, 0..2000")
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_made_twice() {
    if let Some(seed) = std::env::var_os("HYDRA_SEED") {
        let seed = seed.to_str().and_then(|seed| seed.parse().ok()).unwrap();
        simulate(seed);
        return;
    }
    let seeds = wanted();
    play_all(seeds.clone());
    println!("the seeds {seeds:?}");
}

#[test]
fn a_seed_plays_the_same_again() {
    for seed in [1, 2, 3] {
        // How often a task asked the clock depends on how soon real files were read.
        let story = |seed| simulate(seed).into_iter().filter(|line| !line.ends_with(" steps")).collect::<Vec<_>>();
        let (once, again) = (story(seed), story(seed));
        assert!(once.len() > 20, "{once:?}");
        assert_eq!(once, again, "seed {seed}");
    }
}

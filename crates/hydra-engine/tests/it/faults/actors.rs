//! Who acts while the weather is bad: orchestrators that are killed and started again, people, and a clock that jumps.

use super::{Crew, Plan};
use crate::{
    end, laws,
    world::{World, commit, key},
};
use hydra_core::{
    BranchName, IssueNumber,
    contract::fake::FakeRuntime,
    job::RuntimeStatus,
    ports::{Clock as _, Runtime as _, Selector},
    record::Phase,
    view::IssueState,
};
use hydra_engine::{CycleReport, EffectHook, EffectPoint, Engine, Proceed};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

thread_local! {
    /// Owners of leases that are certainly dead; a run is of one thread.
    static DEAD: RefCell<BTreeSet<String>> = RefCell::default();
}
fn is_dead_here(owner: &str) -> bool {
    owner.contains("/here/") && DEAD.with_borrow(|dead| dead.contains(owner))
}
fn is_dead_there(owner: &str) -> bool {
    owner.contains("/there/") && DEAD.with_borrow(|dead| dead.contains(owner))
}

/// Where an orchestrator lives.
#[derive(Clone, Copy)]
pub(super) struct Lives<'l> {
    pub(super) machine: &'static str,
    pub(super) folder: &'l Path,
    pub(super) runtime: &'l FakeRuntime,
}

/// What a person is waiting for: until then nothing is said of the issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Answer(u64),
    Finish,
    Nothing,
}

/// One run.
pub(super) struct Run<'r> {
    pub(super) plan: &'r Plan,
    pub(super) world: &'r World,
    /// Bad weather until then.
    pub(super) until: Instant,
    pub(super) dice: Mutex<StdRng>,
    pub(super) told: Mutex<Vec<String>>,
    /// Issues at rest, with the writes that they had got.
    pub(super) resting: Mutex<BTreeMap<u64, u64>>,
    pub(super) awaits: Mutex<BTreeMap<u64, Awaiting>>,
    pub(super) engines: Vec<FakeRuntime>,
}
pub(super) struct Awaiting(Awaits);

impl Run<'_> {
    pub(super) fn begin() {
        DEAD.with_borrow_mut(BTreeSet::clear);
    }
    pub(super) fn tell(&self, what: impl std::fmt::Display) {
        let line = format!("{:.0} {what}", self.world.clock.now());
        // At once: a seed that comes to no end has told its story all the same.
        if std::env::var_os("HYDRA_SEED").is_some() {
            println!("{line}");
        }
        self.told.lock().unwrap().push(line);
    }
    fn roll(&self, chance: f64) -> bool {
        self.dice.lock().unwrap().random_bool(chance)
    }
    fn pick(&self, range: std::ops::Range<u64>) -> u64 {
        self.dice.lock().unwrap().random_range(range)
    }
    fn is_bad(&self) -> bool {
        Instant::now() < self.until
    }
    async fn pass(&self, range: std::ops::Range<u64>) {
        let time = Duration::from_millis(self.pick(range.start * 1000..range.end * 1000));
        tokio::time::sleep(time).await;
    }

    fn engine(&self, lives: &Lives<'_>, process: &str) -> Engine {
        let mut config = self.world.config(process);
        config.owner = format!("test/{}/{process}", lives.machine);
        config.owner_gone = if lives.machine == "here" { is_dead_here } else { is_dead_there };
        config.state_dir = lives.folder.to_owned();
        self.world.engine_on(config, lives.runtime)
    }

    /// One orchestrator after the other: each is killed at some effect, at some await, or lives on until the weather clears.
    pub(super) async fn orchestrate(&self, lives: &Lives<'_>, name: &str) {
        let mut process = 0;
        while self.is_bad() {
            process += 1;
            let name = format!("{name}{process}");
            let seed = self.pick(0..u64::MAX);
            let killer = Killer(Mutex::new(StdRng::seed_from_u64(seed)));
            let mut engine = self.engine(lives, &name);
            if self.plan.kills {
                engine = engine.hooked_by(Arc::new(killer));
            }
            self.tell(format!("{name} starts"));
            self.live(&mut engine, &name).await;
            DEAD.with_borrow_mut(|dead| dead.insert(engine.config().owner.clone()));
            drop(engine);
            let others = self.plan.crew == Crew::OneMachine;
            if self.is_bad() && !others && self.roll(0.15) {
                self.tell(format!("the folder of {name} is lost"));
                for entry in std::fs::read_dir(lives.folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
                }
            }
            self.pass(0..300).await;
        }
    }

    async fn live(&self, engine: &mut Engine, name: &str) {
        while self.is_bad() {
            let cut = (self.plan.kills && self.roll(0.02)).then(|| Duration::from_millis(self.pick(0..10_000)));
            let report = match cut {
                None => engine.cycle().await,
                Some(after) => match tokio::time::timeout(after, engine.cycle()).await {
                    Ok(report) => report,
                    Err(_) => return self.tell(format!("{name} is killed in mid-cycle")),
                },
            };
            for (issue, action) in &report.actions {
                self.tell(format!("{name}: {issue} {action}"));
            }
            for failure in &report.failures {
                self.tell(format!("{name}: {}: {}", failure.what, failure.why));
            }
            self.watch(&report).await;
            if report.died {
                return self.tell(format!("{name} is killed at an effect"));
            }
            self.pass(1..45).await;
        }
    }

    /// What must hold after every cycle.
    async fn watch(&self, report: &CycleReport) {
        let mut live = BTreeSet::new();
        for engine in &self.engines {
            let jobs = engine.list(&Selector::Any).await.unwrap();
            self.world.laws.broken(laws::of_jobs(&jobs));
            live.extend(jobs.iter().filter_map(|job| job.key.as_ref()).map(|key| key.issue.number));
        }
        self.nobody_wrote();
        let state = self.world.state.lock().unwrap();
        let acted: BTreeSet<IssueNumber> = report.actions.iter().map(|(key, _)| key.number).collect();
        for (number, issue) in &state.issues {
            let Some(record) = end::recorded(issue) else { continue };
            let leased = state.leases.keys().any(|key| key.number == *number);
            let answered = match self.awaits.lock().unwrap().get(&number.0).map(|awaiting| awaiting.0) {
                None => true,
                Some(Awaits::Answer(event)) => record.answered >= event,
                Some(Awaits::Finish) => matches!(record.phase, Phase::Finished { .. }),
                Some(Awaits::Nothing) => false,
            };
            let busy = leased || live.contains(number) || acted.contains(number) || report.died;
            if answered && !busy && !record.phase.kind().is_active() {
                let writes = state.written.get(number).copied().unwrap_or_default();
                self.resting.lock().unwrap().entry(number.0).or_insert(writes);
            }
        }
    }

    /// What rests is left alone until a person asks for something.
    fn nobody_wrote(&self) {
        let state = self.world.state.lock().unwrap();
        self.resting.lock().unwrap().retain(|number, before| {
            let now = state.written.get(&IssueNumber(*number)).copied().unwrap_or_default();
            if now != *before {
                let last = state.writes.last();
                self.world.laws.broken([format!("#{number} rested and was written to: {last:?}")]);
            }
            now == *before
        });
    }

    /// People ask, change their minds, push, close.
    pub(super) async fn people(&self) {
        for _ in 0..self.pick(0..7) {
            self.pass(30..1500).await;
            if !self.is_bad() {
                return;
            }
            let number = self.pick(1..self.plan.issues + 1);
            self.nobody_wrote();
            self.resting.lock().unwrap().remove(&number);
            let awaits = self.act(number);
            self.awaits.lock().unwrap().insert(number, Awaiting(awaits));
        }
    }

    fn act(&self, number: u64) -> Awaits {
        let world = self.world;
        let answer = || Awaits::Answer(world.state.lock().unwrap().next);
        match self.pick(0..20) {
            0..5 => {
                self.tell(format!("ada rebuilds #{number}"));
                world.label(number, "rebuild:queued", true);
                answer()
            }
            5..9 => {
                self.tell(format!("ada retries #{number}"));
                world.label(number, "retry:queued", true);
                answer()
            }
            9..13 => {
                self.tell(format!("ada sets the label of #{number} again"));
                world.label(number, "ready-to-build", false);
                world.label(number, "ready-to-build", true);
                answer()
            }
            13..15 => {
                self.tell(format!("ada takes the label of #{number} off"));
                world.label(number, "ready-to-build", false);
                Awaits::Nothing
            }
            15..18 => {
                let at = commit(900 + u32::try_from(self.pick(0..90)).unwrap());
                let name = if number == 1 { "add-tax".to_owned() } else { format!("change-{number}") };
                let branch: BranchName = format!("hydra/{name}").parse().unwrap();
                if let Some(tip) = world.state.lock().unwrap().branches.get_mut(&branch) {
                    self.tell(format!("ada pushes {at} to {branch}"));
                    *tip = at;
                }
                Awaits::Nothing
            }
            _ => {
                self.tell(format!("ada closes #{number}"));
                let mut state = world.state.lock().unwrap();
                let issue = state.issues.get_mut(&key(number).number).unwrap();
                (issue.state, issue.updated_at) = (IssueState::Closed, world.clock.now());
                Awaits::Finish
            }
        }
    }

    /// The clock of the only machine is set, forwards and back.
    pub(super) async fn jumps(&self) {
        while self.plan.crew == Crew::One && self.is_bad() {
            self.pass(300..2400).await;
            let seconds = i64::try_from(self.pick(0..5400)).unwrap() - 1800;
            self.tell(format!("the clock jumps by {seconds} s"));
            self.world.clock.jump(seconds);
        }
    }

    /// Good weather: everything is brought to rest, by one fresh process on each machine.
    pub(super) async fn calm(&self, here: &Lives<'_>, there: Option<&Lives<'_>>) {
        let mut engines: Vec<(Engine, &str)> = vec![(self.engine(here, "calm-a"), "calm-a")];
        engines.extend(there.map(|there| (self.engine(there, "calm-b"), "calm-b")));
        for _ in 0..60 {
            for (engine, name) in &mut engines {
                let ended = self.world.run(engine).await;
                self.tell(format!("{name}: {} actions, {:?}", ended.actions, ended.last.reasons));
            }
            if self.rests().await {
                return;
            }
            tokio::time::sleep(Duration::from_secs(601)).await;
        }
    }

    async fn rests(&self) -> bool {
        for engine in &self.engines {
            let jobs = engine.list(&Selector::Any).await.unwrap();
            if jobs.iter().any(|job| !matches!(job.status, RuntimeStatus::Created)) {
                return false;
            }
        }
        let state = self.world.state.lock().unwrap();
        let mut records = state.issues.values().map(end::recorded);
        state.leases.is_empty() && records.all(|record| record.is_none_or(|record| !record.phase.kind().is_active()))
    }
}

/// Kills at some effect.
struct Killer(Mutex<StdRng>);
impl EffectHook for Killer {
    fn at(&self, _: EffectPoint<'_>) -> Proceed {
        if self.0.lock().unwrap().random_bool(0.01) { Proceed::Die } else { Proceed::Yes }
    }
}

//! The fake's jobs and their time.

use super::{End, Play, exited};
use crate::{
    JobId, Timestamp,
    egress::gate::GateLine,
    job::{InputFile, JobSpec, Network, Observed, RuntimeStatus},
    ports::{Clock, Collected, LogLine, RuntimeError, RuntimeErrorKind, Selector, Started},
};
use futures_util::{
    StreamExt,
    future::{Either, poll_fn, select},
    stream::{self, BoxStream},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

type Script = Box<dyn Fn(&JobSpec) -> Play + Send + Sync>;

pub(super) struct World {
    clock: Arc<dyn Clock>,
    play: Script,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    jobs: BTreeMap<JobId, Job>,
    wakers: Vec<Waker>,
    pub(super) outage: Option<RuntimeError>,
    pub(super) started: Vec<JobId>,
    pub(super) remains: BTreeSet<JobId>,
    pub(super) gate: Vec<GateLine>,
}

struct Job {
    observed: Observed,
    /// The specification as it prints, secrets masked by their type.
    spec: String,
    play: Play,
    ended_at: Option<Timestamp>,
    /// Lines that somebody heard: they are not unsaid when the clock is set back.
    heard: usize,
}

fn error(kind: RuntimeErrorKind, message: impl Into<String>) -> RuntimeError {
    RuntimeError { kind, message: message.into(), hint: None }
}

fn missing(job: &JobId) -> RuntimeError {
    error(RuntimeErrorKind::NotFound, format!("there is no job {job}"))
}

impl State {
    fn available(&self) -> Result<(), RuntimeError> {
        self.outage.clone().map_or(Ok(()), Err)
    }

    /// Lets the time that passed take its effect.
    fn advance(&mut self, now: Timestamp) {
        for job in self.jobs.values_mut().filter(|job| job.observed.status == RuntimeStatus::Running) {
            let Some(at) = job.ends_at() else { continue };
            if at <= now {
                job.observed.status = match &job.play.end {
                    End::Exits(code) => exited(*code, at),
                    End::OutOfMemory => RuntimeStatus::Exited { code: 137, oom: true, at },
                    End::Vanishes(why) => RuntimeStatus::Lost { why: why.clone() },
                    End::Runs | End::RunsDeaf => continue,
                };
                job.ended_at = Some(at);
            }
        }
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

impl Job {
    fn ends_at(&self) -> Option<Timestamp> {
        match self.play.end {
            End::Exits(_) | End::OutOfMemory | End::Vanishes(_) => {
                Some(self.observed.created_at.checked_add(self.play.after).unwrap_or(Timestamp::MAX))
            }
            End::Runs | End::RunsDeaf => None,
        }
    }
    /// When it says a line of its output.
    fn says(&self, line: usize) -> Timestamp {
        let count = u32::try_from(line).unwrap_or(u32::MAX).saturating_add(1);
        self.observed.created_at.checked_add(self.play.pace.saturating_mul(count)).unwrap_or(Timestamp::MAX)
    }
    /// How many lines it has said, once it has ended or as its pace allows.
    fn said(&self) -> usize {
        let until = self.ended_at.unwrap_or(Timestamp::MAX);
        (0..self.play.lines.len()).take_while(|line| self.says(*line) <= until).count().max(self.heard)
    }
    /// Somebody ended it.
    fn cut(&mut self, status: RuntimeStatus, now: Timestamp) {
        self.observed.status = status;
        self.ended_at = Some(now);
        if !self.play.pace.is_zero() {
            let said: Vec<&str> = self.play.lines.iter().take(self.said()).map(|line| line.text.as_str()).collect();
            self.play.out = BTreeMap::from([("events.jsonl".to_owned(), said.join("\n").into_bytes())]);
        }
    }
}

impl World {
    pub(super) fn new(clock: Arc<dyn Clock>, play: Script) -> Self {
        Self { clock, play, state: Mutex::default() }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state at this moment, when the fake is to be reached at all.
    fn now(&self) -> Result<MutexGuard<'_, State>, RuntimeError> {
        let mut state = self.lock();
        state.available()?;
        state.advance(self.clock.now());
        Ok(state)
    }

    pub(super) fn start(&self, instance: &str, spec: &JobSpec) -> Result<Started, RuntimeError> {
        refuse(spec)?;
        let id = spec.key.id();
        let printed = format!("{spec:?}");
        let mut state = self.now()?;
        if let Some(job) = state.jobs.get(&id) {
            if job.observed.instance != instance {
                return Err(error(RuntimeErrorKind::Conflict, format!("{id} belongs to {}", job.observed.instance)));
            }
            if job.spec != printed {
                return Err(error(RuntimeErrorKind::Conflict, format!("{id} exists with another specification")));
            }
            return Ok(Started::Adopted);
        }
        let observed = Observed {
            id: id.clone(),
            key: Some(spec.key.clone()),
            instance: instance.to_owned(),
            credentials: spec.credentials.iter().map(ToString::to_string).collect(),
            created_at: self.clock.now(),
            status: RuntimeStatus::Running,
        };
        state.started.push(id.clone());
        state.jobs.insert(id, Job { observed, spec: printed, play: (self.play)(spec), ended_at: None, heard: 0 });
        Ok(Started::New)
    }

    pub(super) fn list(&self, instance: &str, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        let state = self.now()?;
        let wanted = |seen: &Observed| match which {
            Selector::Mine => seen.instance == instance,
            Selector::Any => true,
            Selector::Job(id) => seen.id == *id,
        };
        Ok(state.jobs.values().map(|job| job.observed.clone()).filter(wanted).collect())
    }

    pub(super) fn follow(
        world: &Arc<Self>,
        job: &JobId,
    ) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        let play = world.now()?.jobs.get(job).ok_or_else(|| missing(job))?.play.clone();
        let (world, job) = (Arc::clone(world), job.clone());
        if play.pace.is_zero() {
            let rest = stream::once(async move { world.ended(&job, None).await })
                .filter_map(|ended| async { ended.err().map(Err::<LogLine, _>) });
            return Ok(stream::iter(play.lines.into_iter().map(Ok)).chain(rest).boxed());
        }
        let lines = stream::unfold(0, move |told| {
            let (world, job, line) = (Arc::clone(&world), job.clone(), play.lines.get(told).cloned());
            async move {
                let due = world.lock().jobs.get(&job).map(|job| job.says(told));
                let ended = world.ended(&job, line.as_ref().and(due)).await;
                let said = world.lock().jobs.get(&job).is_some_and(|job| job.said() > told);
                match (ended, line) {
                    (Err(error), _) => Some((Err(error), usize::MAX)),
                    (Ok(()), Some(line)) if said => {
                        if let Some(job) = world.lock().jobs.get_mut(&job) {
                            job.heard = job.heard.max(told + 1);
                        }
                        Some((Ok(line), told + 1))
                    }
                    (Ok(()), _) => None,
                }
            }
        });
        Ok(lines.boxed())
    }

    /// Waits until the job has ended, by its own time or because someone ended it; until `due` at most.
    async fn ended(&self, job: &JobId, due: Option<Timestamp>) -> Result<(), RuntimeError> {
        loop {
            let wait = {
                let state = self.now()?;
                let found = state.jobs.get(job).ok_or_else(|| missing(job))?;
                let now = self.clock.now();
                if found.observed.status != RuntimeStatus::Running || due.is_some_and(|due| due <= now) {
                    return Ok(());
                }
                let until = found.ends_at().into_iter().chain(due).min();
                let left = until.map(|at| at.duration_since(now));
                left.map(|left| Duration::try_from(left).unwrap_or_default())
            };
            let mut registered = false;
            let woken = pin!(poll_fn(|context| {
                let mut state = self.lock();
                let runs = state.jobs.get(job).is_some_and(|job| job.observed.status == RuntimeStatus::Running);
                if registered || !runs {
                    return Poll::Ready(());
                }
                registered = true;
                state.wakers.push(context.waker().clone());
                Poll::Pending
            }));
            match wait {
                None => woken.await,
                Some(left) => match select(woken, self.clock.sleep(left)).await {
                    Either::Left(((), _)) | Either::Right(((), _)) => {}
                },
            }
        }
    }

    pub(super) fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let state = self.now()?;
        let found = state.jobs.get(job).ok_or_else(|| missing(job))?;
        if found.observed.status == RuntimeStatus::Running {
            return Ok(Collected::default());
        }
        if let Some(link) = found.play.links.first() {
            return Err(error(RuntimeErrorKind::Refused, format!("/out/{link} is refused: it is a link")));
        }
        let mut collected = Collected { gate: state.gate.clone(), ..Collected::default() };
        for (path, content) in &found.play.out {
            let size = content.len() as u64;
            if size > max_bytes {
                collected.too_large.insert(path.clone(), size);
            } else {
                collected.files.insert(path.clone(), content.clone());
            }
        }
        Ok(collected)
    }

    pub(super) fn told(&self) -> Result<Vec<GateLine>, RuntimeError> {
        Ok(self.now()?.gate.clone())
    }

    /// Asks a job to end. True when it does not run (any more); false when it is deaf.
    pub(super) fn interrupt(&self, job: &JobId) -> Result<bool, RuntimeError> {
        let mut state = self.now()?;
        let Some(found) = state.jobs.get_mut(job) else { return Ok(true) };
        if found.observed.status != RuntimeStatus::Running {
            return Ok(true);
        }
        if found.play.end == End::RunsDeaf {
            return Ok(false);
        }
        let now = self.clock.now();
        found.cut(exited(130, now), now);
        state.wake();
        Ok(true)
    }

    pub(super) fn kill(&self, job: &JobId) {
        let at = self.clock.now();
        self.end(job, exited(137, at));
    }

    pub(super) fn end(&self, job: &JobId, end: RuntimeStatus) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let ended = match state.jobs.get_mut(job) {
            Some(found) if found.observed.status == RuntimeStatus::Running => {
                found.cut(end, now);
                true
            }
            Some(_) | None => false,
        };
        state.wake();
        ended
    }

    pub(super) fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        let mut state = self.now()?;
        state.jobs.remove(job);
        state.remains.remove(job);
        state.wake();
        Ok(())
    }

    pub(super) fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        Ok(self.now()?.remains.iter().cloned().collect())
    }
}

/// What no job may have, as every runtime refuses it.
fn refuse(spec: &JobSpec) -> Result<(), RuntimeError> {
    let shared = matches!(&spec.network, Network::Named(name) if name == "host" || name.contains(':'));
    let engine = spec.env.contains_key("DOCKER_HOST")
        || spec.inputs.values().any(|file| matches!(file, InputFile::Path(path) if path.ends_with("docker.sock")));
    let outside = spec
        .inputs
        .keys()
        .chain(spec.spec.keys())
        .any(|path| path.split('/').any(|part| part.is_empty() || part == "." || part == ".."));
    if shared || engine || outside {
        return Err(error(RuntimeErrorKind::Refused, "the specification asks for what no job may have"));
    }
    Ok(())
}

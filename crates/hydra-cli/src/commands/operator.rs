//! What the operator's commands share: the operator at this machine, and the engine that looks and does not act.

use crate::{
    clock::SystemClock,
    compose::{
        self,
        engine::{Extras, Purpose},
    },
    config::Settings,
    context::Context,
    failure::Failure,
    output::clean::Clean,
};
use hydra_core::ports::{AuditEntry, AuditError, AuditSink};
use hydra_engine::{Engine, Scrub, audit_log::AuditLog, operator::Operator, store::StateDir};
use std::sync::Arc;

/// The operator, with the state folder and the audit log.
pub(super) fn operator(settings: &Settings) -> Result<Operator, Failure> {
    let state =
        StateDir::open(&settings.state_dir).map_err(|error| Failure::from(hydra_engine::EngineError::from(error)))?;
    let scrub = Scrub::from(Arc::new(compose::redactor(settings)));
    let audit: Arc<dyn AuditSink> = match AuditLog::open(&state.audit(), scrub) {
        Ok(log) => Arc::new(log),
        // Holding and stopping must work with a damaged log too; each entry that is lost is told.
        Err(error) => Arc::new(NoLog(error)),
    };
    Ok(Operator {
        state,
        instance: settings.values.instance.clone(),
        audit,
        clock: Arc::new(SystemClock),
        stop_grace: settings.values.runtime.stop_grace.std(),
    })
}

/// An engine that acts as a cycle would.
pub(super) async fn engine(context: &Context, settings: &Settings) -> Result<Engine, Failure> {
    compose::engine::engine(context, settings, Extras::default()).await
}

/// An engine that will only be asked. Says what it cannot know for want of a credential.
///
/// # Errors
/// When the token that reads is missing, or nothing says where to look.
pub(super) async fn looking(context: &Context, settings: &Settings) -> Result<Engine, Failure> {
    for blank in settings.check_readable()? {
        context.screen.warn(&blank);
    }
    compose::engine::engine(context, settings, Extras { purpose: Purpose::Look, ..Extras::default() }).await
}

/// What masks everything that is shown.
pub(super) fn clean(settings: &Settings) -> Clean {
    Clean::new(compose::redactor(settings))
}

struct NoLog(AuditError);

impl AuditSink for NoLog {
    fn append(&self, _: &AuditEntry) -> Result<(), AuditError> {
        Err(self.0.clone())
    }
    fn head(&self) -> String {
        String::new()
    }
}

//! Where tests may kill the orchestrator: before and after every effect, counted.

/// An effect that is about to be made, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectPoint<'a> {
    /// 1 for the first effect of this engine.
    pub number: u64,
    /// The effect's kind: an action's name, or `renew-lease`.
    pub name: &'a str,
    /// True before it, false after it.
    pub before: bool,
}

/// The answer of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proceed {
    /// Go on.
    Yes,
    /// The orchestrator dies here: nothing more happens, not even clean-up.
    Die,
}

/// Called around every effect.
pub trait EffectHook: Send + Sync {
    /// Decides whether the orchestrator lives on.
    fn at(&self, point: EffectPoint<'_>) -> Proceed;
}

/// Lets everything happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;
impl EffectHook for NoHook {
    fn at(&self, _: EffectPoint<'_>) -> Proceed {
        Proceed::Yes
    }
}

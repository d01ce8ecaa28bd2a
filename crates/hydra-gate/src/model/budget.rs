//! What is left of the budget, counted while it is spent: a warning near its end, and an end.

use hydra_core::{Tokens, contract_files::Allowance};
use std::{
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// The part of the budget at which the agent is warned, in hundredths.
const WARN: u128 = 80;

/// Requests under way at a time, where there is a budget: so many at most can pass it together, whatever their answers are.
const AT_ONCE: u64 = 16;
/// What an answer is taken to be as long as none has been counted, in tokens: a long one.
const UNSEEN: u64 = 32_000;
/// Bytes of a request that are about a token of its prompt.
const BYTES_OF_A_TOKEN: usize = 4;

/// How far the budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is enough.
    Fine,
    /// Not much is left: to be said once, by whoever can.
    Warn,
    /// Nothing is left.
    Spent,
}

#[derive(Debug, Default)]
struct State {
    tokens: Tokens,
    /// It was said that not much is left, or a request that says it is under way.
    warned: bool,
    /// The most that one response used so far, by each kind of token.
    most: Tokens,
    /// Requests that are not counted yet, and what is held back for them.
    under_way: u64,
    held: Tokens,
}

/// The budget of one job: what was left of the when it began.
pub(crate) struct Budget {
    allowance: Option<Allowance>,
    /// Where the sum is kept, so that a gate that is started again goes on with it.
    kept: Option<PathBuf>,
    state: Mutex<State>,
    counted: Notify,
}

/// A request that is not counted yet. What it may use is held back from others until it is. One that is given up when the provider has it is
/// charged for its prompt: nobody will say what it used, and it was used.
pub(crate) struct UnderWay {
    budget: Arc<Budget>,
    held: Tokens,
    prompt: Tokens,
    sent: bool,
    /// It says that not much is left, and nobody has taken it yet.
    warns: bool,
}

impl UnderWay {
    /// The model has read what was said: no other request says it again.
    pub(crate) fn read(&mut self) {
        self.warns = false;
    }
    /// It has no place for what was to be said: the next one may say it.
    pub(crate) fn says_nothing(&mut self) {
        if std::mem::take(&mut self.warns) {
            self.budget.state.lock().unwrap_or_else(PoisonError::into_inner).warned = false;
        }
    }
    /// Whether the provider has it from here on, and has not said that it takes nothing for it.
    pub(crate) fn sent(&mut self, sent: bool) {
        self.sent = sent;
    }
    /// Adds its prompt and so much of an answer, where the provider takes something for it and has not said what.
    pub(crate) fn count_unsaid(mut self, output: u64) {
        // What is dropped adds it.
        self.prompt.output = output;
    }
    /// Adds what it used.
    pub(crate) fn count(mut self, used: Tokens) {
        self.sent = false;
        self.budget.add(used);
    }
}
impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.sent {
            self.budget.add(self.prompt);
        }
        // What was said to nobody is said to the next.
        self.says_nothing();
        let mut state = self.budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way = state.under_way.saturating_sub(1);
        state.held = both(state.held, self.held, u64::saturating_sub);
        drop(state);
        self.budget.counted.notify_waiters();
    }
}

/// What a request is about to ask for, in tokens: its body's length tells.
pub(crate) fn prompt(body: usize) -> Tokens {
    Tokens { input: (body / BYTES_OF_A_TOKEN) as u64, ..Tokens::default() }
}

impl Budget {
    /// What an earlier gate of the job has counted is gone on with; what cannot be read is no zero.
    pub(crate) fn new(allowance: Option<Allowance>, kept: Option<PathBuf>) -> Result<Self, String> {
        let wrong = |path: &PathBuf, why: String| format!("{}: {why}", path.display());
        let tokens = match kept.as_ref().map(|path| (path, std::fs::read(path))) {
            None => Tokens::default(),
            Some((_, Err(error))) if error.kind() == std::io::ErrorKind::NotFound => Tokens::default(),
            Some((path, Err(error))) => return Err(wrong(path, error.to_string())),
            Some((path, Ok(text))) => serde_json::from_slice(&text).map_err(|error| wrong(path, error.to_string()))?,
        };
        Ok(Self { allowance, kept, state: Mutex::new(State { tokens, ..State::default() }), counted: Notify::new() })
    }
    /// Adds what a response used.
    pub(crate) fn add(&self, used: Tokens) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tokens = both(state.tokens, used, u64::saturating_add);
        state.most = both(state.most, used, u64::max);
        if let (Some(path), Ok(text)) = (&self.kept, serde_json::to_vec(&state.tokens)) {
            // Whole or not at all. Where it cannot be kept, the orchestrator's own count of the event stream still bounds the job.
            let fresh = path.with_extension("new");
            _ = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
        }
    }
    /// The sum.
    pub(crate) fn used(&self) -> Tokens {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tokens
    }
    /// Lets one request with this prompt begin. It waits while it and those under way could use up what is left, each its own prompt and as
    /// much as any response has used so far: requests at the same time pass the budget by one response at most, not by all of theirs.
    /// [`Standing::Warn`] is for one that can be told, and comes again until one was [read](UnderWay::read).
    pub(crate) async fn begin(
        self: &Arc<Self>,
        prompt: Tokens,
        can_be_told: bool,
    ) -> Result<(Standing, UnderWay), Standing> {
        loop {
            let mut counted = pin!(self.counted.notified());
            counted.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let far = self.far(state.tokens);
                if far >= 100 {
                    return Err(Standing::Spent);
                }
                let unseen = Tokens { output: UNSEEN, ..Tokens::default() };
                let most = if state.most == Tokens::default() { unseen } else { state.most };
                let mine = Tokens { input: prompt.input.max(most.input), ..most };
                let held = both(state.held, mine, u64::saturating_add);
                let room = self.allowance.is_none() || state.under_way < AT_ONCE;
                if state.under_way == 0 || room && self.far(both(state.tokens, held, u64::saturating_add)) <= 100 {
                    state.under_way += 1;
                    state.held = held;
                    let warns = can_be_told && far >= WARN && !state.warned;
                    state.warned |= warns;
                    let standing = if warns { Standing::Warn } else { Standing::Fine };
                    let budget = Arc::clone(self);
                    return Ok((standing, UnderWay { budget, held: mine, prompt, sent: false, warns }));
                }
            }
            counted.await;
        }
    }
    /// The part of the budget that so much is, in hundredths.
    fn far(&self, tokens: Tokens) -> u128 {
        let Some(allowance) = &self.allowance else { return 0 };
        let part = |used: u64, of: u64| if of == 0 { 100 } else { u128::from(used) * 100 / u128::from(of) };
        let money = allowance.usd.map(|usd| part(allowance.price.cost(tokens).0, usd.0));
        let tokens = allowance.tokens.map(|most| part(tokens.total(), most));
        money.into_iter().chain(tokens).max().unwrap_or(0)
    }
}

/// Two sums, kind by kind.
fn both(one: Tokens, other: Tokens, with: impl Fn(u64, u64) -> u64) -> Tokens {
    Tokens {
        input: with(one.input, other.input),
        output: with(one.output, other.output),
        cache_read: with(one.cache_read, other.cache_read),
        cache_write: with(one.cache_write, other.cache_write),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::{Usd, prices::PriceTable};
    use tokio::task::JoinSet;

    fn budget(tokens: u64) -> Arc<Budget> {
        let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
        Arc::new(Budget::new(Some(Allowance { usd: None, tokens: Some(tokens), price }), None).unwrap())
    }
    fn used(output: u64) -> Tokens {
        Tokens { output, ..Tokens::default() }
    }
    /// What is said to a request that nothing runs beside.
    async fn standing(budget: &Arc<Budget>) -> Standing {
        budget.begin(prompt(0), true).await.map_or_else(
            |spent| spent,
            |(standing, mut under_way)| {
                under_way.read();
                standing
            },
        )
    }

    #[tokio::test]
    async fn it_warns_once_and_ends() {
        let budget = budget(1_000);
        assert_eq!(standing(&budget).await, Standing::Fine);
        budget.add(used(799));
        assert_eq!(standing(&budget).await, Standing::Fine);
        budget.add(used(1));
        assert_eq!((standing(&budget).await, standing(&budget).await), (Standing::Warn, Standing::Fine));
        budget.add(used(200));
        assert_eq!((standing(&budget).await, budget.used().output), (Standing::Spent, 1_000));
        assert_eq!(standing(&Arc::new(Budget::new(None, None).unwrap())).await, Standing::Fine);
    }

    #[tokio::test]
    async fn the_warning_comes_again_until_a_model_has_read_it() {
        let budget = budget(1_000_000);
        // Of answers so small that some fit in beside each other.
        (0..800).for_each(|_| budget.add(used(1_000)));
        let begin = async |can_be_told| budget.begin(prompt(0), can_be_told).await.unwrap();
        assert_eq!(begin(false).await.0, Standing::Fine, "it cannot be told");
        assert_eq!(begin(true).await.0, Standing::Warn, "nobody was told");
        let (standing, mut first) = begin(true).await;
        assert_eq!(standing, Standing::Warn, "the one before had no answer");
        first.says_nothing();
        let (standing, second) = begin(true).await;
        assert_eq!(standing, Standing::Warn, "the one before has no place for it");
        assert_eq!(begin(true).await.0, Standing::Fine, "one that is under way says it");
        drop(first);
        assert_eq!(begin(true).await.0, Standing::Fine, "the other one's end changes nothing");
        drop(second);
        let (standing, mut third) = begin(true).await;
        third.read();
        drop(third);
        assert_eq!((standing, begin(true).await.0), (Standing::Warn, Standing::Fine));
    }

    #[tokio::test]
    async fn money_counts_by_the_price_of_the_model() {
        let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
        let allowance = Allowance { usd: Some(Usd::micros(1_000)), tokens: None, price };
        let budget = Arc::new(Budget::new(Some(allowance), None).unwrap());
        budget.add(used(1_000_000));
        assert_eq!(standing(&budget).await, Standing::Spent);
    }

    /// A hundred requests at once, each of which uses a tenth: without a word about each other they would use ten budgets.
    #[tokio::test(start_paused = true)]
    async fn requests_at_the_same_time_pass_it_by_one_response_at_most() {
        let budget = budget(1_000);
        budget.add(used(100));
        let ask = |budget: Arc<Budget>| async move {
            let Ok((_, under_way)) = budget.begin(prompt(0), true).await else { return };
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            under_way.count(used(100));
        };
        let all: JoinSet<()> = (0..100).map(|_| ask(Arc::clone(&budget))).collect();
        all.join_all().await;
        assert_eq!(budget.used().output, 1_000);
        assert_eq!(standing(&budget).await, Standing::Spent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_breaks_off_lets_the_next_one_go_on() {
        let budget = budget(1_000);
        budget.add(used(600));
        let (_, first) = budget.begin(prompt(0), true).await.unwrap();
        let second = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(second, budget.begin(prompt(0), true)).await.is_err(), "it waits");
        let (next, ()) = tokio::join!(budget.begin(prompt(0), true), async {
            tokio::time::sleep(second).await;
            drop(first);
        });
        assert!(next.is_ok());
    }

    /// Nothing was counted yet, and the answers turn out to be much larger than any before: they are as few as may be under way together.
    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_could_foresee_are_few() {
        let budget = budget(10_000_000);
        budget.add(used(1));
        let ask = |budget: Arc<Budget>| async move {
            let Ok((_, under_way)) = budget.begin(prompt(0), true).await else { return };
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            under_way.count(used(10_000_000));
        };
        let all: JoinSet<()> = (0..500).map(|_| ask(Arc::clone(&budget))).collect();
        all.join_all().await;
        assert_eq!(budget.used().output, 1 + 10_000_000 * AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn before_anything_was_counted_answers_are_taken_to_be_long_and_prompts_are_known() {
        let second = std::time::Duration::from_secs(1);
        for (allowance, body, begun) in [(UNSEEN * 3, 0, 3), (UNSEEN * 3, 200_000, 1), (1_000, 0, 1)] {
            let budget = budget(allowance);
            let mut all = Vec::new();
            while let Ok(Ok((_, one))) = tokio::time::timeout(second, budget.begin(prompt(body), true)).await {
                all.push(one);
            }
            assert_eq!(all.len(), begun, "{allowance} {body}");
        }
    }

    #[tokio::test]
    async fn what_is_given_up_when_the_provider_has_it_is_charged_for_its_prompt() {
        let budget = budget(1_000_000);
        let begin = async || budget.begin(prompt(40_000), true).await.unwrap().1;
        drop(begin().await);
        assert_eq!(budget.used(), Tokens::default(), "it was not sent");
        let mut refused = begin().await;
        refused.sent(true);
        refused.sent(false);
        drop(refused);
        assert_eq!(budget.used(), Tokens::default(), "it was refused");
        let mut gone = begin().await;
        gone.sent(true);
        drop(gone);
        assert_eq!(budget.used().input, 10_000);
        let mut said = begin().await;
        said.sent(true);
        said.count(used(5));
        assert_eq!((budget.used().input, budget.used().output), (10_000, 5));
    }

    #[test]
    fn a_gate_that_is_started_again_goes_on_with_the_sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("used.json");
        Budget::new(None, Some(path.clone())).unwrap().add(used(5));
        let again = Budget::new(None, Some(path.clone())).unwrap();
        again.add(used(2));
        assert_eq!(again.used().output, 7);
        std::fs::write(&path, "{").unwrap();
        assert!(Budget::new(None, Some(path)).is_err());
    }
}

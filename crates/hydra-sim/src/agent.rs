//! The small coding agent of the simulator (hidden subcommand `hydra sim-agent`): sends the conversation to a Messages
//! endpoint, carries out the tool calls that come back, and prints claude-code's event stream. So the demo needs no Node.

mod client;
mod message;
mod options;
mod printer;
mod session;
mod tls;
mod tools;

pub use options::{Credential, Options, OptionsError};
pub use session::run_session;

/// Exit code for arguments or an environment that cannot be used.
const USAGE: i32 = 2;

/// Runs the agent as a program: arguments (without the program's name), this process's environment, the prompt on standard
/// input, events on standard output. Returns the exit code: 0 when the agent ended by itself, 1 when a provider, the turn
/// limit or an interruption ended it, 2 when it could not begin.
pub async fn run(args: &[String]) -> i32 {
    let environment = |name: &str| std::env::var(name).ok();
    let options = match Options::read(args, &environment) {
        Ok(options) => options,
        Err(error) => return complain(&error.to_string()),
    };
    // Nothing else goes on before the prompt is there: reading it may block.
    let prompt = match std::io::read_to_string(std::io::stdin()) {
        Ok(prompt) => prompt,
        Err(error) => return complain(&format!("the prompt on standard input cannot be read: {error}")),
    };
    if prompt.trim().is_empty() {
        return complain("there is no prompt on standard input");
    }
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    // An error means that whoever read the events is gone: there is nobody left to tell.
    run_session(&options, &prompt, &mut std::io::stdout(), interrupted).await.unwrap_or(1)
}

fn complain(message: &str) -> i32 {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "sim-agent: {message}");
    USAGE
}

//! The `hydra` program once more, so that the stories always run the wrapper and the agent of this very tree.

fn main() -> std::process::ExitCode {
    hydra_cli::main()
}

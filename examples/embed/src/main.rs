//! A review without any container, printed.

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program speaks on its standard output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in hydra_example_embed::review::reviewed().await? {
        println!("{line}");
    }
    Ok(())
}

//! What is checked in and made of the code agrees with it; examples and templates are valid.

use crate::harness::{Sandbox, root};
use hydra_cli::{config::document, config::file::schema, config::variables, exit};

fn same(path: &str, wanted: &str) {
    let have = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(have == wanted, "{path} is out of date: see its first line, or `hydra config schema`");
}

#[test]
fn the_schema_and_the_documentation_are_those_of_the_code() {
    same("schema/hydra.schema.json", &document::schema_text().unwrap());
    same("docs/configuration.md", &document::markdown(&schema()));
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_code() {
    let text = std::fs::read_to_string(root().join("docs/operations/exit-codes.md")).unwrap();
    assert!(text.ends_with(&exit::table()), "{}", exit::table());
    let codes: Vec<u8> = exit::Exit::ALL.iter().map(|exit| exit.code()).collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 70]);
}

#[test]
fn every_variable_of_the_example_is_known_and_every_secret_is_in_it() {
    let text = std::fs::read_to_string(root().join("secrets/.env.example")).unwrap();
    let entries = hydra_cli::secrets::dotenv::parse(std::path::Path::new(".env"), &text).unwrap();
    for name in entries.keys() {
        assert!(variables::find(name).is_some(), "{name}");
    }
    for variable in
        variables::ALL.iter().filter(|variable| variable.key().is_none() && variable.name != "HYDRA_ANTHROPIC_KEY")
    {
        assert!(entries.contains_key(variable.name), "{}", variable.name);
    }
}

#[test]
fn every_commented_key_of_the_template_is_valid_when_it_is_uncommented() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["init"]).code, 0);
    assert_eq!(sandbox.run(&["config", "show"]).code, 0);
    // A comment that is a setting begins without a space.
    let text = sandbox.read("hydra.toml");
    let open: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    assert!(open.join("\n") != text);
    sandbox.write("hydra.toml", open.join("\n"));
    let ran = sandbox.run(&["config", "show"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

/// Every `.md` file below a folder.
fn markdown(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// The command lines of a document: in its code spans, and after `$` in its examples.
fn command_lines(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("hydra ") && !span.contains('\n'));
    let console = text.lines().filter_map(|line| line.strip_prefix("$ ")?.split('#').next());
    let console = console.filter(|line| line.starts_with("hydra ") || line.contains("hydra-cli -- "));
    spans.chain(console).map(|line| line.replace("cargo run -p hydra-cli --", "hydra")).collect()
}

#[test]
fn every_command_line_of_the_documents_is_understood() {
    use clap::{Parser as _, error::ErrorKind};
    let mut files = vec![root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("SECURITY.md")];
    markdown(&root().join("docs"), &mut files);
    let mut tried = 0;
    for file in files {
        for line in command_lines(&std::fs::read_to_string(&file).unwrap()) {
            // Where a person chooses, the first that is offered.
            let words = line.replace(['[', ']'], "").replace('…', "2h");
            let words = words.split_whitespace().map(|word| match word.split(['|', '\\']).next().unwrap_or_default() {
                "ISSUE" => "1",
                "REPO" => "acme/words",
                "STAGE" => "build",
                "COMMAND" => "poll",
                "SHELL" => "bash",
                "NAME" => "git:builder",
                other => other,
            });
            let parsed = hydra_cli::args::Cli::try_parse_from(words.collect::<Vec<_>>());
            // A command may be spoken of without its arguments.
            let shown = |error: &clap::Error| !error.use_stderr() || error.kind() == ErrorKind::MissingRequiredArgument;
            if let Err(error) = parsed.map(drop).or_else(|error| if shown(&error) { Ok(()) } else { Err(error) }) {
                panic!("{}: {line}: {error}", file.display());
            }
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried} command lines were found");
}

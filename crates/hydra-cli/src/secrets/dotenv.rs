//! `secrets/.env`, read strictly: the file goes to `docker run --env-file` and is sourced by shells, which read quotes, comments and `export` differently. A line that the two would not read the same way is an error that says so.

use crate::config::{
    problem::{Place, Problem, Problems},
    variables,
};
use hydra_core::diagnostic::nearest;
use secrecy::SecretString;
use std::{collections::BTreeMap, path::Path};

/// One line's value and its place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value; it may be empty.
    pub value: SecretString,
    /// Line, from 1.
    pub line: u32,
}

/// The entries by name.
pub type Entries = BTreeMap<String, Entry>;

/// Reads the text of the file.
///
/// # Errors
/// Every line that is not `NAME=value` as Docker and a shell both read it, every name set twice, and every unknown `HYDRA_` name.
pub fn parse(path: &Path, text: &str) -> Result<Entries, Problems> {
    let mut entries = Entries::new();
    let mut problems = Vec::new();
    for (line, number) in text.split('\n').zip(1u32..) {
        if line.trim().is_empty() && !line.contains('\r') || line.trim_start().starts_with('#') {
            continue;
        }
        match entry(line) {
            Ok((name, value)) => {
                let place = Place::line(path, number);
                if let Some(first) = entries.get(name) {
                    let first: &Entry = first;
                    problems.push(
                        Problem::credential(
                            format!("{name} is set a second time (the first is on line {})", first.line),
                            "remove one of the two lines",
                        )
                        .at(place),
                    );
                    continue;
                }
                if let Some(problem) = unknown(name) {
                    problems.push(problem.at(place));
                }
                entries.insert(name.to_owned(), Entry { value: SecretString::from(value), line: number });
            }
            Err((message, help)) => {
                problems.push(Problem::credential(message, help).at(Place::line(path, number)));
            }
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(Problems(problems)) }
}

fn unknown(name: &str) -> Option<Problem> {
    let known = variables::find(name).is_some() || variables::OTHERS.contains(&name);
    if known || !name.starts_with("HYDRA_") {
        return None;
    }
    let names: Vec<&str> = variables::ALL.iter().map(|variable| variable.name).collect();
    let help = match nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => "`hydra config schema --format markdown` lists the names that Hydra reads".to_owned(),
    };
    Some(Problem::credential(format!("Hydra reads no variable {}", crate::output::mask::scrub(name)), help))
}

type Complaint = (String, &'static str);

/// Name and value of a line. Complaints never repeat a value.
fn entry(line: &str) -> Result<(&str, &str), Complaint> {
    if line.ends_with('\r') {
        return Err((
            "the line ends with a carriage return, which Docker makes a part of the value".to_owned(),
            "save the file with Unix line ends",
        ));
    }
    if line.starts_with('\u{feff}') {
        return Err(("the file begins with a byte-order mark".to_owned(), "save it as UTF-8 without one"));
    }
    if line.split_whitespace().next() == Some("export") {
        return Err((
            "`export` means something to a shell only: Docker makes it a part of the name".to_owned(),
            "write NAME=value without `export`",
        ));
    }
    let Some((name, value)) = line.split_once('=') else {
        return Err((
            "the line has no `=`: Docker would pass on a variable of that name from its own environment, a shell would run it".to_owned(),
            "write NAME=value",
        ));
    };
    if name != name.trim() || value.starts_with([' ', '\t']) {
        return Err((
            "there is white space before the name or beside the `=`, which a shell does not take".to_owned(),
            "write NAME=value without spaces",
        ));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(good) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((
            "what stands before the `=` is no variable's name".to_owned(),
            "use letters, digits and underscores",
        ));
    }
    value_complaint(name, value).map_or(Ok((name, value)), Err)
}

fn value_complaint(name: &str, value: &str) -> Option<Complaint> {
    let complaint = |what: &str, help| Some((format!("the value of {name} {what}"), help));
    if value.contains(['"', '\'']) {
        return complaint(
            "holds quotes: a shell removes them, Docker keeps them as a part of the value",
            "write the value without quotes",
        );
    }
    if value.contains(" #") || value.contains("\t#") {
        return complaint(
            "is followed by a comment: a shell drops it, Docker keeps it as a part of the value",
            "put the comment on a line of its own",
        );
    }
    if value.contains(char::is_whitespace) {
        return complaint(
            "holds white space: Docker keeps it, a shell ends the value there",
            "remove it; look at the end of the line too",
        );
    }
    if value.contains(['$', '`', '\\', ';', '&', '|', '<', '>', '(', ')']) || value.starts_with('~') {
        return complaint(
            "holds a character that means something to a shell ($ ` \\ ; & | < > ( ) or a leading ~) and nothing to Docker",
            "such a value cannot stand in this file: use secrets/credentials.json, or the environment",
        );
    }
    if value.chars().any(char::is_control) {
        return complaint("holds a control character", "type the line again");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn complaint(text: &str) -> String {
        parse(Path::new("secrets/.env"), text).unwrap_err().to_string()
    }

    #[test]
    fn plain_lines_comments_and_empty_values_are_read() {
        let entries =
            parse(Path::new(".env"), "# a comment\n\nGITHUB_ORG=acme\n  # another\nHYDRA_MODEL=\nOTHER=a=b#c\n")
                .unwrap();
        let read: Vec<(&str, &str, u32)> =
            entries.iter().map(|(name, e)| (name.as_str(), e.value.expose_secret(), e.line)).collect();
        assert_eq!(read, [("GITHUB_ORG", "acme", 3), ("HYDRA_MODEL", "", 5), ("OTHER", "a=b#c", 6)]);
    }

    #[test]
    fn what_docker_and_a_shell_read_differently_is_refused_with_its_line_and_without_its_value() {
        for (line, words) in [
            ("HYDRA_MODEL=\"s3cret\"", "quotes"),
            ("HYDRA_MODEL='s3cret'", "quotes"),
            ("HYDRA_MODEL=s3cret # the model", "followed by a comment"),
            ("export HYDRA_MODEL=s3cret", "`export`"),
            ("HYDRA_MODEL = s3cret", "white space"),
            ("HYDRA_MODEL= s3cret", "white space"),
            (" HYDRA_MODEL=s3cret", "white space"),
            ("HYDRA_MODEL=s3cret ", "white space"),
            ("HYDRA_MODEL=s3cret\r", "carriage return"),
            ("s3cret", "no `=`"),
            ("HYDRA-MODEL=s3cret", "no variable's name"),
            ("1X=s3cret", "no variable's name"),
            ("=s3cret", "no variable's name"),
            ("HYDRA_MODEL=s3cret$HOME", "means something to a shell"),
            ("HYDRA_MODEL=~s3cret", "means something to a shell"),
            ("HYDRA_MODEL=s3cret;ls", "means something to a shell"),
            ("HYDRA_MODEL=s3cret\u{1b}[1m", "control character"),
            ("\u{feff}HYDRA_MODEL=s3cret", "byte-order mark"),
        ] {
            let said = complaint(&format!("GITHUB_ORG=acme\n{line}\n").replacen(
                "GITHUB_ORG=acme\n\u{feff}",
                "#\n\u{feff}",
                1,
            ));
            assert!(said.starts_with("secrets/.env:2: ") && said.contains(words), "{line:?}: {said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn a_name_set_twice_and_a_misspelt_name_are_refused() {
        assert_eq!(complaint("A=1\nA=2"), "secrets/.env:2: A is set a second time (the first is on line 1)");
        let problems = parse(Path::new(".env"), "HYDRA_BULDER_TOKEN=x").unwrap_err();
        assert_eq!(problems.0[0].help, "did you mean HYDRA_BUILDER_TOKEN?");
    }
}

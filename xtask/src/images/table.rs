//! Which image stands on which, and what goes into each.

use super::{Build, debian, docker, fetched, inputs::Inputs, programs};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
};

/// The images that Hydra starts, or is; `gate` stands before each agent, `hydra` is the orchestrator.
pub(crate) const FINAL: [&str; 7] = ["base", "builder", "reviewer", "security", "applier", "gate", "hydra"];

/// What an image stands on.
#[derive(Clone, Copy)]
enum From {
    /// A Debian root with the packages of `images/debian/<name>.packages`.
    Debian(&'static str),
    /// Another image of this table.
    Image(&'static str),
}

/// What is copied into an image besides its own folder of `images/`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Agent,
    Gate,
    Hydra,
    Claude,
    Node,
    Semgrep,
}

struct Row {
    name: &'static str,
    from: From,
    pieces: &'static [Piece],
}

/// In an order in which they can be built. What changes with every edit of the sources comes last in each chain.
const ROWS: [Row; 10] = [
    Row { name: "node", from: From::Debian("agents"), pieces: &[Piece::Node] },
    Row { name: "claude", from: From::Image("node"), pieces: &[Piece::Claude] },
    Row { name: "scanner", from: From::Image("claude"), pieces: &[Piece::Semgrep] },
    Row { name: "base", from: From::Image("claude"), pieces: &[Piece::Agent, Piece::Hydra] },
    Row { name: "builder", from: From::Image("base"), pieces: &[] },
    Row { name: "reviewer", from: From::Image("base"), pieces: &[] },
    Row { name: "security", from: From::Image("scanner"), pieces: &[Piece::Agent, Piece::Hydra] },
    Row { name: "applier", from: From::Image("base"), pieces: &[] },
    Row { name: "gate", from: From::Debian("gate"), pieces: &[Piece::Gate] },
    Row { name: "hydra", from: From::Debian("hydra"), pieces: &[Piece::Hydra] },
];

/// An image that is there now.
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) inputs: String,
}

/// The local tag of an image: what Hydra looks for, or a layer that other images stand on.
fn tag(name: &str) -> String {
    match name {
        "hydra" => "hydra:latest".to_owned(),
        _ if FINAL.contains(&name) => format!("hydra-{name}:latest"),
        _ => format!("hydra-layer-{name}:latest"),
    }
}

/// The rows that are needed for the wanted names.
fn needed(names: &[&str]) -> Vec<&'static Row> {
    let mut wanted: Vec<&str> = names.to_vec();
    let mut rows = Vec::new();
    for row in ROWS.iter().rev() {
        if wanted.contains(&row.name) {
            if let From::Image(below) = row.from {
                wanted.push(below);
            }
            rows.push(row);
        }
    }
    rows.reverse();
    rows
}

/// Makes ready what images are made of, at once as far as it goes, then builds each.
pub(crate) fn build(build: &Build<'_>) -> Result<Vec<Built>, String> {
    let rows = needed(&build.options.names);
    let has = |piece: Piece| rows.iter().any(|row| row.pieces.contains(&piece));
    let roots: Vec<&'static str> = ["agents", "gate", "hydra"]
        .into_iter()
        .filter(|name| rows.iter().any(|row| matches!(row.from, From::Debian(root) if root == *name)))
        .collect();
    let (debians, pieces) = thread::scope(|scope| {
        let debians = scope.spawn(|| {
            roots.iter().map(|name| Ok((*name, debian::root(build, name)?))).collect::<Result<BTreeMap<_, _>, String>>()
        });
        let fetched = scope.spawn(|| {
            let mut pieces = Vec::new();
            if has(Piece::Claude) {
                pieces.push((Piece::Claude, fetched::claude(build)?));
            }
            if has(Piece::Node) {
                pieces.push((Piece::Node, fetched::node(build)?));
            }
            if has(Piece::Semgrep) {
                pieces.push((Piece::Semgrep, fetched::semgrep(build)?));
            }
            Ok::<_, String>(pieces)
        });
        let mut pieces = Vec::new();
        if has(Piece::Agent) {
            pieces.push((Piece::Agent, programs::build(build, "hydra-agent", "hydra-agent")?));
        }
        if has(Piece::Gate) {
            pieces.push((Piece::Gate, programs::build(build, "hydra-gate", "hydra-gate")?));
        }
        if has(Piece::Hydra) {
            pieces.push((Piece::Hydra, programs::build(build, "hydra-cli", "hydra")?));
        }
        pieces.extend(joined(fetched)?);
        Ok::<_, String>((joined(debians)?, pieces))
    })?;
    let mut built: Vec<Built> = Vec::new();
    for row in &rows {
        let (below, below_id) = match row.from {
            From::Debian(root) => debians.get(root).cloned().ok_or("a Debian root is missing")?,
            From::Image(name) => {
                let below = built.iter().find(|image| image.name == name).ok_or("an image below is missing")?;
                (tag(name), below.id.clone())
            }
        };
        let own = pieces.iter().filter(|(piece, _)| row.pieces.contains(piece)).map(|(_, path)| path.as_path());
        let image = one(build, row, (&below, &below_id), &own.collect::<Vec<_>>())?;
        built.push(image);
    }
    built.retain(|image| FINAL.contains(&image.name.as_str()));
    for image in &mut built {
        let name = tag(&image.name).trim_end_matches(":latest").to_owned();
        docker::tag(&image.id, &format!("{}/{name}:{}", build.options.prefix, build.options.tag))?;
        image.name = name;
    }
    Ok(built)
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    handle.join().map_err(|_| "a step panicked".to_owned())?
}

/// One image: up to date, or built from a context that holds its folder and its pieces.
fn one(build: &Build<'_>, row: &Row, below: (&str, &str), pieces: &[&Path]) -> Result<Built, String> {
    let folder = build.folder(row.name);
    let mut inputs = Inputs::default();
    inputs.text("image below", below.1);
    inputs.path(&folder)?;
    for piece in pieces {
        inputs.path(piece)?;
    }
    let inputs = inputs.finish();
    let (name, tag) = (row.name.to_owned(), tag(row.name));
    if let Some(id) = docker::up_to_date(&tag, &inputs)? {
        build.say(row.name, "is up to date");
        return Ok(Built { name, id, inputs });
    }
    build.say(row.name, &format!("is built on {}", below.0));
    let context = build.work.join("context").join(row.name);
    stage(&folder, pieces, &context)?;
    docker::build(&tag, &context, &[("BASE", below.0)], &inputs, false)?;
    let id = docker::up_to_date(&tag, &inputs)?.ok_or_else(|| format!("{tag} was built and is not there"))?;
    build.say(row.name, &format!("is {}", docker::short(&id)));
    Ok(Built { name, id, inputs })
}

/// The context: what lies in the image's folder, and the pieces beside it. Files are linked, not copied.
fn stage(folder: &Path, pieces: &[&Path], context: &Path) -> Result<(), String> {
    match fs::remove_dir_all(context) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", context.display()));
        }
        Ok(()) | Err(_) => {}
    }
    link(folder, context)?;
    for piece in pieces {
        link(piece, &context.join(piece.file_name().ok_or("a piece has no name")?))?;
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", from.display());
    if from.is_dir() {
        fs::create_dir_all(to).map_err(told)?;
        for entry in fs::read_dir(from).map_err(told)? {
            let entry = entry.map_err(told)?;
            link(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let linked: PathBuf = from.into();
    fs::hard_link(&linked, to).or_else(|_| fs::copy(&linked, to).map(drop)).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_is_built_first() {
        let names = |wanted: &[&str]| needed(wanted).iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(names(&["builder"]), ["node", "claude", "base", "builder"]);
        assert_eq!(names(&["security"]), ["node", "claude", "scanner", "security"]);
        assert_eq!(names(&["hydra"]), ["hydra"]);
        assert_eq!(names(&FINAL).len(), ROWS.len());
    }

    #[test]
    fn hydra_finds_its_images_by_these_names() {
        assert_eq!(FINAL.map(tag)[1], "hydra-builder:latest");
        assert_eq!(tag("hydra"), "hydra:latest");
        assert_eq!(tag("claude"), "hydra-layer-claude:latest");
    }
}

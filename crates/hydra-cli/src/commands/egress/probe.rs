//! `hydra egress probe [--type …]`: a container of each type is started behind the fence as its jobs are, and tries what an agent could try.

mod rows;
mod run;
mod spec;

use crate::{
    args::EgressProbeArgs,
    compose,
    config::{Settings, runtime::RuntimeKind},
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{
        screen::{Screen, Tint},
        table::aligned,
    },
};
use hydra_core::{ContainerType, Stage, probe::Verdict};
use rows::{Probed, Row, rows};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    ok: bool,
    containers: Vec<Probed>,
}

pub(super) fn run(context: &Context, args: &EgressProbeArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    if settings.values.runtime.kind == RuntimeKind::Process {
        return Err(Failure::new(Exit::Runtime, "runtime.kind is \"process\": there is no fence that could be probed")
            .help("set runtime.kind = \"docker\""));
    }
    let specs = types(&settings, args)
        .into_iter()
        .map(|container| Ok((container, spec::spec(&settings, container)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let containers = super::super::block_on(async {
        let runtime = compose::runtime(context, &settings)?;
        let mut probed = Vec::new();
        for (container, (spec, order)) in &specs {
            let found = run::run(&*runtime, spec).await?;
            probed.push(Probed { container: *container, fence: order.fence, probes: rows(order, &found) });
        }
        Ok::<_, Failure>(probed)
    })??;
    let ok = containers.iter().flat_map(|container| &container.probes).all(|row| row.verdict != Verdict::Failed);
    let report = Report { ok, containers };
    if context.screen.json {
        context.screen.json("egress-probe", &report)?;
    } else {
        show(&context.screen, &report)?;
    }
    Ok(if ok { Exit::Ok } else { Exit::Failed })
}

/// Those that are named, or else every one that the configuration has a use for.
fn types(settings: &Settings, args: &EgressProbeArgs) -> Vec<ContainerType> {
    let used = |container: &ContainerType| {
        let mut stages = Stage::ALL.iter().filter(|stage| stage.container() == *container);
        *container == ContainerType::Quality || stages.any(|stage| settings.persona(*stage).is_some())
    };
    let wanted = |container: &&ContainerType| match args.containers.as_slice() {
        [] => used(container),
        named => named.contains(container),
    };
    ContainerType::ALL.iter().filter(wanted).copied().collect()
}

fn show(screen: &Screen, report: &Report) -> Result<(), Failure> {
    for (number, probed) in report.containers.iter().enumerate() {
        if number > 0 {
            screen.line("")?;
        }
        let head = format!("{}, fence {}", probed.container, rows::fence(probed.fence));
        screen.line(screen.tint(Tint::Bold, &head))?;
        let mut table = vec![["  probe", "expected", "seen", "at the gate", ""].map(str::to_owned).to_vec()];
        table.extend(probed.probes.iter().map(cells));
        let mut lines = aligned(&table).into_iter();
        screen.line(screen.tint(Tint::Dim, &lines.next().unwrap_or_default()))?;
        for (line, row) in lines.zip(&probed.probes) {
            let word = row.verdict.as_str();
            let tint = match row.verdict {
                Verdict::Ok => Tint::Good,
                Verdict::Failed => Tint::Bad,
                Verdict::CannotHold | Verdict::NotTried => Tint::Dim,
            };
            let line = line.strip_suffix(word).unwrap_or(&line).to_owned();
            screen.line(line + &screen.tint(tint, word))?;
        }
    }
    let failed = report.containers.iter().flat_map(|probed| &probed.probes);
    let failed = failed.filter(|row| row.verdict == Verdict::Failed).count();
    screen.line("")?;
    screen.line(match failed {
        0 => "every probe is as expected, as far as its mode can hold it".to_owned(),
        1 => "1 probe failed".to_owned(),
        more => format!("{more} probes failed"),
    })?;
    let note = "An allowed name is looked up and not dialled: what is probed ends at the fence, and no host is asked.";
    screen.line(screen.tint(Tint::Dim, note))
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        format!("  {}", row.what),
        row.expected.to_owned(),
        row.seen.clone(),
        row.gate.clone().unwrap_or_else(|| "-".to_owned()),
        row.verdict.to_string(),
    ]
}

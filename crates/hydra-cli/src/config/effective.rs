//! What is compiled in and no key of `hydra.toml`: the personas as they will work, and the dated price table, with the source of each value.

use super::layers::Shown;
use hydra_core::{
    persona::{Persona, defaults},
    prices::{self, Price},
};

/// Puts the personas and prices in force in the place of those that the file alone names.
pub(super) fn show(shown: &mut Vec<Shown>, personas: &[Persona]) {
    let said: Vec<Shown> = shown.clone();
    replace(shown, "personas", personas.iter().flat_map(|persona| rows(persona, &said)).collect());
    replace(shown, "prices", price_rows(&said));
}

fn replace(shown: &mut Vec<Shown>, table: &str, rows: Vec<Shown>) {
    let of_table =
        |row: &Shown| row.key == table || row.key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    let at = shown.iter().position(of_table).unwrap_or(shown.len());
    shown.retain(|row| !of_table(row));
    drop(shown.splice(at..at, rows));
}

fn rows(persona: &Persona, said: &[Shown]) -> Vec<Shown> {
    let limits = persona.limits;
    let text = |text: &str| format!("{text:?}");
    let stages: Vec<String> = persona.stages.iter().map(|stage| text(stage.as_str())).collect();
    let key = |field: &str| format!("personas.{}.{field}", persona.id);
    let of = |key: &str| said.iter().find(|row| row.key == key && row.source != "default");
    let fewer = defaults().iter().any(|known| known.id == persona.id && known.stages != persona.stages);
    [
        ("name", text(&persona.name)),
        ("email", text(&persona.email)),
        ("stages", format!("[{}]", stages.join(", "))),
        ("driver", text(&persona.driver)),
        ("model", text(persona.model.as_str())),
        ("cpus", (f64::from(limits.cpu_millis) / 1000.0).to_string()),
        ("memory_mib", limits.memory_mib.to_string()),
        ("pids", limits.pids.to_string()),
        ("minutes", limits.minutes.to_string()),
        ("turns", limits.turns.to_string()),
        ("prompt_file", of(&key("prompt_file")).map_or_else(|| "-".to_owned(), |row| row.value.clone())),
    ]
    .into_iter()
    .map(|(field, value)| {
        let key = key(field);
        let all = if field == "model" { of("models.all") } else { None };
        let source = match all.or_else(|| of(&key)) {
            Some(row) => row.source.clone(),
            None if field == "stages" && fewer => "default, without those of others".to_owned(),
            None => "default".to_owned(),
        };
        Shown { key, value: crate::output::mask::scrub(&value), source }
    })
    .collect()
}

/// One row for each model.
fn price_rows(said: &[Shown]) -> Vec<Shown> {
    let mut rows: Vec<Shown> = Vec::new();
    let own = said.iter().filter_map(|row| {
        let (model, field) = row.key.strip_prefix("prices.")?.rsplit_once('.')?;
        Some((format!("prices.{model}"), field, row))
    });
    for (key, field, row) in own {
        let part = format!("{field} = {}", row.value);
        match rows.iter_mut().find(|known| known.key == key) {
            Some(known) => known.value = format!("{}, {part}}}", known.value.trim_end_matches('}')),
            None => rows.push(Shown { key, value: format!("{{{part}}}"), source: row.source.clone() }),
        }
    }
    for (model, price) in prices::table() {
        let key = format!("prices.{model}");
        if !rows.iter().any(|row| row.key == key) {
            let [input, output, cache_read, cache_write] = dollars(price);
            let value = format!(
                "{{cache_read = {cache_read}, cache_write = {cache_write}, input = {input}, output = {output}}}"
            );
            rows.push(Shown { key, value, source: format!("default (as of {})", prices::AS_OF) });
        }
    }
    rows
}

/// Input, output, cache reads and cache writes, in USD for a million tokens.
pub(super) fn dollars(price: Price) -> [f64; 4] {
    [price.input, price.output, price.cache_read, price.cache_write].map(|usd| usd.0 as f64 / 1e6)
}

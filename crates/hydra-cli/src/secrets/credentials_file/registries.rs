//! `registries`: credentials of private package registries, by the name that `egress.inspect` calls them.

use super::{Reader, RegistryEntry, TEXT};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What to do about an entry of another shape.
const FORM: &str = "write \"NAME\": { \"token\": \"…\" }, with \"user\" beside it where the registry asks for one";

/// Every entry that is as it must be; what is wrong with the others is reported.
pub(super) fn read(reader: &mut Reader<'_>, value: Option<&Value>) -> BTreeMap<String, RegistryEntry> {
    let mut registries = BTreeMap::new();
    let Some(value) = value else { return registries };
    let Some(map) = value.as_object() else {
        reader.report("registries must be an object with one object for each registry".to_owned(), FORM);
        return registries;
    };
    for (name, value) in map {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        // A name is shown in labels and logs.
        if name.is_empty() || name.len() > 40 || !name.bytes().all(good) || crate::output::mask::scrub(name) != *name {
            let help = "give it a short name of letters, digits, '-', '_' and '.'; the token stands in `token`";
            reader.report("a name in registries cannot be one".to_owned(), help);
            continue;
        }
        let at = format!("registries.{name}");
        match value {
            Value::Object(map) => registries.extend(entry(reader, map, &at).map(|entry| (name.clone(), entry))),
            _ => reader.report(format!("{at} must be an object with token, and user where it needs one"), FORM),
        }
    }
    registries
}

fn entry(reader: &mut Reader<'_>, map: &Map<String, Value>, at: &str) -> Option<RegistryEntry> {
    reader.keys(map, at, &["token", "user"]);
    let Some(Value::String(token)) = map.get("token") else {
        reader.report(format!("{at}.token must be a text in quotes"), TEXT);
        return None;
    };
    let user = match map.get("user") {
        None | Some(Value::Null) => None,
        Some(Value::String(user))
            if !user.is_empty() && !user.contains(':') && user.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Some(user.clone())
        }
        Some(_) => {
            reader.report(
                format!("{at}.user must be a text in quotes, without ':' and white space"),
                "leave it out where the registry asks for a token alone",
            );
            return None;
        }
    };
    Some(RegistryEntry { user, token: SecretString::from(token.clone()) })
}

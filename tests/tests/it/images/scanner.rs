//! The scanner of the security image: without any network it finds what each of the local rules is about.

use super::{in_image, root};
use std::{collections::BTreeSet, path::Path};

/// Something for every rule. Secrets are put together here, so that no scanner of this repository trips over them.
fn bad(folder: &Path) {
    let files = [
        (
            "a.py",
            "import os, pickle, random, requests, tarfile\ndef f(x, db):\n    eval(x)\n    os.system('ls ' + x)\n    pickle.loads(x)\n    \
             db.execute('select ' + x)\n    requests.get(x, verify=False)\n    tarfile.open(x).extractall('/tmp')\n    token = random.random()\n"
                .to_owned(),
        ),
        (
            "a.js",
            "function f(x, t, s) {\n  eval(x);\n  cp.exec(`ls ${x}`);\n  e.innerHTML = x;\n  https.get({ rejectUnauthorized: false });\n  \
             for (const k in s) {\n    t[k] = f(t[k], s[k]);\n  }\n}\n"
                .to_owned(),
        ),
        (".github/workflows/w.yml", "on: pull_request_target\njobs:\n  a:\n    steps:\n      - run: echo ${{ github.event.issue.title }}\n".to_owned()),
        ("a.sh", "curl https://example.org/install | sh\neval $1\n".to_owned()),
        ("key.txt", format!("-----BEGIN {} KEY-----\n", "PRIVATE")),
        ("token.txt", format!("AKIA{}\n", "ABCDEFGHIJKLMNOP")),
        ("config.ini", format!("password = \"{}\"\n", "a-long-one-indeed")),
    ];
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

/// The IDs of the rules that found something.
fn found(folder: &Path) -> BTreeSet<String> {
    let mount = format!("{}:/src:ro", folder.display());
    let said = in_image(
        "hydra-security",
        &["-v", &mount, "-w", "/src"],
        "semgrep --json --quiet . 2>/tmp/said || { cat /tmp/said; exit 1; }",
    );
    let report: serde_json::Value = serde_json::from_str(&said).expect("a report");
    assert_eq!(report["errors"], serde_json::json!([]), "every rule is understood, every file is read");
    let ids = report["results"].as_array().expect("results").iter().filter_map(|result| result["check_id"].as_str());
    ids.filter_map(|id| id.rsplit('.').next()).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs docker, images"]
fn every_rule_finds_its_example_and_none_finds_anything_in_clean_code() {
    let mut rules = BTreeSet::new();
    for file in std::fs::read_dir(root().join("images/security/rules")).expect("rules") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a file");
        rules.extend(text.lines().filter_map(|line| line.trim().strip_prefix("- id: ")).map(str::to_owned));
    }
    assert!(rules.len() >= 15, "{rules:?}");
    let folder = tempfile::tempdir().expect("a folder");
    bad(folder.path());
    assert_eq!(found(folder.path()), rules);

    let clean = tempfile::tempdir().expect("a folder");
    let text = "import json, subprocess\ndef f(x, db):\n    subprocess.run(['ls', x])\n    db.execute('select ?', (x,))\n    return json.loads(x)\n";
    std::fs::write(clean.path().join("a.py"), text).expect("a file");
    assert_eq!(found(clean.path()), BTreeSet::new());
}

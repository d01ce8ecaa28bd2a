//! The model API behind the gate: signed with the gate's accounts, counted, bounded, and nothing else of it.

use crate::{
    agent::dial,
    internet::API,
    packets::scan,
    upstreams::peak,
    world::{World, until},
};
use hydra_core::{
    Tokens,
    contract_files::Allowance,
    egress::{
        DenyReason,
        gate::{GateAccount, GateLine, ModelApi, ModelRoute, Upstream},
    },
    ports::AccountKind,
    prices::PriceTable,
};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

pub(crate) const PORT: u16 = 8088;
pub(crate) const UPSTREAM: u16 = 8080;

/// A request as the API has received it.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}
impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// An API on the internet that answers each request with what `answer` says.
fn serve(world: &World, answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Log {
    let log = Log::default();
    let listener = world.internet.there(|| TcpListener::bind((API, UPSTREAM)).unwrap());
    let (kept, answer) = (Arc::clone(&log), Arc::new(answer));
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                while let Some(asked) = read(&mut BufReader::new(stream.try_clone().unwrap())) {
                    log.lock().unwrap().push(asked.clone());
                    if stream.write_all(answer(&asked).as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    log
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { line: lines.remove(0), headers: lines, body: String::from_utf8(body).unwrap() })
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
fn fine() -> String {
    let body = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}\n\n\
                event: message_delta\ndata: {\"usage\":{\"output_tokens\":50}}\n\n";
    http(
        "200 OK",
        "Content-Type: text/event-stream\r\nSet-Cookie: a=b\r\nanthropic-organization-id: secret-org\r\n",
        body,
    )
}

fn account(name: &str, kind: AccountKind) -> GateAccount {
    GateAccount { name: name.parse().unwrap(), kind }
}

/// A fence with two accounts.
pub(crate) fn world(change: impl FnOnce(&mut ModelRoute)) -> World {
    let mut route = ModelRoute {
        port: PORT,
        upstream: Upstream {
            endpoint: format!("{API}:{UPSTREAM}").parse().unwrap(),
            tls: false,
            private: true,
            authority: None,
        },
        accounts: vec![account("first", AccountKind::OAuth), account("second", AccountKind::Key)],
        apis: [ModelApi::Messages].into(),
        models: ["claude-sonnet-4-6".to_owned()].into(),
        allowance: None,
    };
    change(&mut route);
    World::api(route, &[("first", "oat-first"), ("second", "sk-second")])
}

pub(crate) const BODY: &str = r#"{"model":"claude-sonnet-4-6","messages":[{"role":"user","content":"hi"}]}"#;

/// What an agent asks, and what it gets: status and body.
fn ask(world: &World, line: &str, headers: &str, body: &str) -> (u16, String) {
    let request = format!(
        "{line} HTTP/1.1\r\nHost: model\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let said = world.agent(move || {
        let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said:?}"));
    for secret in ["oat-first", "sk-second", "secret-org", "set-cookie"] {
        assert!(!said.to_lowercase().contains(secret), "{said}");
    }
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
fn message(world: &World) -> (u16, String) {
    ask(
        world,
        "POST /v1/messages?beta=true",
        "Authorization: Bearer stolen\r\nx-api-key: stolen\r\nanthropic-beta: b-1,context-1m-2025-08-07\r\n",
        BODY,
    )
}

#[test]
#[ignore = "needs namespaces"]
fn row_36_the_gates_account_signs_and_the_agents_own_key_stays_behind() {
    let mut world = world(|_| {});
    let log = serve(&world, |_| fine());
    let (status, body) = message(&world);
    assert!(status == 200 && body.contains("message_delta"), "{status}: {body}");
    let [asked] = log.lock().unwrap().clone().try_into().unwrap();
    assert_eq!(asked.line, "post /v1/messages?beta=true http/1.1");
    assert_eq!(asked.header("authorization"), Some("bearer oat-first"));
    assert_eq!((asked.header("x-api-key"), asked.header("anthropic-beta")), (None, Some("b-1,oauth-2025-04-20")));
    assert_eq!((asked.body.as_str(), asked.header("accept-encoding")), (BODY, Some("identity")));
    let GateLine::Report { tokens, reached, .. } = world.report() else { panic!() };
    assert_eq!(tokens, Tokens { input: 100, output: 50, ..Tokens::default() });
    assert_eq!(reached.len(), 1, "{reached:?}");
}

#[test]
#[ignore = "needs namespaces"]
fn row_36_other_paths_methods_models_and_sizes_are_refused() {
    let mut world = world(|_| {});
    let log = serve(&world, |_| fine());
    let other = BODY.replace("sonnet", "opus");
    let reaches = BODY.replace("{\"model", "{\"mcp_servers\":[],\"model");
    let dear = BODY.replace("{\"model", "{\"speed\":\"fast\",\"model");
    let refused = [
        ("GET /v1/organizations/me", "", "", 403),
        ("POST /v1/files", "", BODY, 403),
        ("POST http://evil.test/v1/messages", "", BODY, 403),
        ("POST /v1/messages", "", other.as_str(), 403),
        ("POST /v1/messages", "", "no json", 403),
        ("POST /v1/messages?key=own", "", BODY, 403),
        ("POST /v1/responses", "", BODY, 403),
        ("POST /v1/messages", "", reaches.as_str(), 403),
        ("POST /v1/messages", "anthropic-beta: fast-mode-2026-02-01\r\n", dear.as_str(), 403),
    ];
    // Unfenced, whoever has the address and a key of its own asks what it likes.
    let unfenced = |(line, headers, body, _): (&str, &str, &str, u16)| {
        let own = "x-api-key: of-the-agent\r\nConnection: close\r\n";
        let request = format!("{line} HTTP/1.1\r\n{own}{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        let send = move || dial((API, UPSTREAM)).unwrap().write_all(request.as_bytes());
        world.internet.arrives(send).unwrap();
    };
    refused.into_iter().for_each(unfenced);
    until("the requests", || log.lock().unwrap().len() == refused.len());
    assert!(log.lock().unwrap().iter().all(|asked| asked.header("x-api-key") == Some("of-the-agent")));
    log.lock().unwrap().clear();
    for (line, headers, body, status) in refused {
        let (got, said) = ask(&world, line, headers, body);
        assert_eq!(got, status, "{line}: {said}");
        assert!(said.contains("\"type\":\"error\""), "{said}");
    }
    assert_eq!(log.lock().unwrap().len(), 0);
    let GateLine::Report { denied, .. } = world.report() else { panic!() };
    assert!(denied.iter().all(|denial| denial.reason == DenyReason::InspectMethod), "{denied:#?}");
    assert_eq!(denied.iter().map(|denial| denial.count).sum::<u64>(), refused.len() as u64);
}

#[test]
#[ignore = "needs namespaces"]
fn row_29_with_a_model_api_its_port_is_the_only_one_more() {
    let world = world(|_| {});
    // Unfenced, a scan finds what is there.
    let log = serve(&world, |_| fine());
    assert_eq!(scan(world.internet.open(), &API.to_string()), format!("[443, {UPSTREAM}]"));
    assert_eq!(scan(world.holder.id(), &API.to_string()), format!("[53, 443, {PORT}]"));
    assert_eq!(log.lock().unwrap().len(), 0);
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn an_account_that_is_used_up_is_replaced_before_the_agent_notices() {
    let world = world(|_| {});
    let log = serve(&world, |asked| match asked.header("authorization") {
        Some(_) => http("429 Too Many Requests", "retry-after: 3600\r\n", "{}"),
        None => fine(),
    });
    assert_eq!((message(&world).0, message(&world).0), (200, 200));
    let keys: Vec<_> = log.lock().unwrap().iter().map(|asked| asked.header("x-api-key").map(str::to_owned)).collect();
    assert_eq!(keys, [None, Some("sk-second".to_owned()), Some("sk-second".to_owned())]);
    until("the gate's word", || {
        world.lines().iter().any(|line| matches!(line, GateLine::Aside { account, why, .. } if account.as_str() == "first" && why == "limit"))
    });
}

#[test]
#[ignore = "needs namespaces"]
fn whatever_the_first_account_meets_the_second_one_is_asked_and_the_engine_hears_of_what_lasts() {
    let refused = r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#;
    let drawn = r#"{"type":"error","error":{"type":"forbidden","message":"Request not allowed"}}"#;
    let long: &'static str = format!("{refused}{}", " ".repeat(100_000)).leak();
    for (answer, more, body, first_again, told) in [
        ("429 Too Many Requests", "", "{}", false, false),
        ("429 Too Many Requests", "retry-after: 20\r\n", "{}", false, false),
        ("401 Unauthorized", "", "{}", false, true),
        ("403 Forbidden", "", refused, false, true),
        // What a request draws by its own words is no account's fault.
        ("403 Forbidden", "", drawn, true, false),
        ("403 Forbidden", "", "<html>", true, false),
        ("403 Forbidden", "", long, true, false),
        ("529 Overloaded", "", "{}", true, false),
        ("503 Service Unavailable", "", "{}", true, false),
    ] {
        let world = world(|_| {});
        let log = serve(&world, move |asked| match asked.header("authorization") {
            Some(_) => http(answer, more, body),
            None => fine(),
        });
        assert_eq!((message(&world).0, message(&world).0), (200, 200), "{answer}");
        let firsts = log.lock().unwrap().iter().filter(|asked| asked.header("authorization").is_some()).count();
        assert_eq!(firsts, if first_again { 2 } else { 1 }, "{answer} {more}");
        let aside = world.lines().iter().any(|line| matches!(line, GateLine::Aside { .. }));
        assert_eq!(aside, told, "{answer} {more}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn what_passes_by_itself_is_the_agents_to_wait_for_where_there_is_no_other_account() {
    for (answer, status) in [("429 Too Many Requests", 429), ("529 Overloaded", 529)] {
        let world = world(|route| route.accounts.truncate(1));
        let log = serve(&world, move |_| http(answer, "retry-after: 20\r\n", "{\"own\":1}"));
        for _ in 0..2 {
            let (got, said) = message(&world);
            assert!(got == status && said.contains("own"), "{got}: {said}");
        }
        assert_eq!(log.lock().unwrap().len(), 2, "{answer}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn when_every_account_is_refused_the_agent_is_told_so() {
    let world = world(|_| {});
    let log = serve(&world, |_| http("401 Unauthorized", "", "{\"error\":\"no\"}"));
    assert_eq!(message(&world).0, 401, "the last one's own answer");
    assert_eq!(message(&world).0, 429);
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[test]
#[ignore = "needs namespaces"]
fn what_every_account_is_forbidden_the_agent_reads_and_no_account_rests() {
    let drawn = r#"{"type":"error","error":{"type":"forbidden","message":"Request not allowed"}}"#;
    let world = world(|_| {});
    let log = serve(&world, move |_| http("403 Forbidden", "Content-Type: application/json\r\n", drawn));
    for asked in [2, 4] {
        assert_eq!(message(&world), (403, drawn.to_owned()));
        assert_eq!(log.lock().unwrap().len(), asked);
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_budget_warns_once_and_then_ends_and_a_gate_that_is_started_again_knows() {
    let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
    let mut world = world(|route| route.allowance = Some(Allowance { usd: None, tokens: Some(310), price }));
    let log = serve(&world, |_| fine());
    for _ in 0..2 {
        assert_eq!(message(&world).0, 200);
    }
    // 300 of 310 are spent; what comes next is warned, and the one after it refused.
    world.gate = None;
    world.serve();
    until("the next gate", || matches!(world.lines().last(), Some(GateLine::Ready { .. })));
    assert_eq!(message(&world).0, 200);
    let bodies: Vec<bool> =
        log.lock().unwrap().iter().map(|asked| asked.body.contains("four fifths of this issue")).collect();
    assert_eq!(bodies, [false, false, true]);
    let (status, said) = message(&world);
    assert!(status == 400 && said.contains("the budget of this issue is spent"), "{status}: {said}");
    assert_eq!(log.lock().unwrap().len(), 3);
}

#[test]
#[ignore = "needs namespaces"]
fn the_warning_waits_for_a_request_that_the_model_reads_and_answers() {
    const NOTE: &str = "four fifths of this issue";
    let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
    let prefilled = BODY.replace("}]}", r#"},{"role":"assistant","content":"so"}]}"#);
    let before: [(&str, &str, &str, u16); 4] = [
        ("count_tokens", "POST /v1/messages/count_tokens", BODY, 200),
        ("models", "GET /v1/models", "", 200),
        ("a prefilled answer", "POST /v1/messages", &prefilled, 200),
        ("a failure", "POST /v1/messages", BODY, 529),
    ];
    for (what, line, body, status) in before {
        let world = world(|route| {
            route.allowance = Some(Allowance { usd: None, tokens: Some(1_100), price });
            route.accounts.truncate(1);
        });
        let turn = AtomicUsize::new(0);
        let log = serve(&world, move |_| match (turn.fetch_add(1, Ordering::Relaxed), status) {
            (6, 529) => http("529 Overloaded", "", "{}"),
            (6, _) if what != "a prefilled answer" => http("200 OK", "", "{}"),
            _ => fine(),
        });
        // 900 of 1,100 are spent.
        for _ in 0..6 {
            assert_eq!(message(&world).0, 200);
        }
        let told = || log.lock().unwrap().iter().map(|asked| asked.body.contains(NOTE)).collect::<Vec<_>>();
        assert_eq!(told(), [false; 6]);
        log.lock().unwrap().clear();
        assert_eq!(ask(&world, line, "", body).0, status, "{what}");
        for _ in 0..2 {
            message(&world);
        }
        let failed = status == 529;
        assert_eq!(told()[..2], [failed, true], "{what}: nobody is warned");
        assert!(!told().get(2).is_some_and(|told| *told), "{what}: it is said again");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_warning_in_a_large_request_costs_no_more_than_a_second_one() {
    let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
    let allowance = Allowance { usd: None, tokens: Some(10_000_000), price };
    let world = world(|route| route.allowance = Some(allowance));
    let spent = "{\"usage\":{\"input_tokens\":8500000,\"output_tokens\":1}}";
    let log = serve(&world, move |_| http("200 OK", "Content-Type: application/json\r\n", spent));
    assert_eq!(message(&world).0, 200);
    // Taken apart, each of these million objects is many times as large as it is written.
    let many = format!("[{}{{}}]", "{\"a\":0},".repeat(1 << 20));
    let body = BODY.replace("\"hi\"", &many);
    let before = peak(&world);
    assert_eq!(ask(&world, "POST /v1/messages", "", &body).0, 200);
    assert!(log.lock().unwrap()[1].body.contains("four fifths of this issue"));
    let grown = peak(&world) - before;
    assert!(grown < 5 * 8 * 1024, "{grown} KiB more");
}

/// What comes back for these bytes, as far as the connection lives.
fn raw(world: &World, bytes: Vec<u8>) -> String {
    world.agent(move || {
        let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
        // What is refused may be closed before all of it was sent.
        _ = stream.write_all(&bytes);
        let mut said = Vec::new();
        _ = stream.read_to_end(&mut said);
        String::from_utf8(said).unwrap()
    })
}

#[test]
#[ignore = "needs namespaces"]
fn row_36_a_body_that_is_too_large_is_refused_and_told() {
    const MOST: usize = 32 * 1024 * 1024;
    let world = world(|_| {});
    let log = serve(&world, |_| fine());
    let head = "POST /v1/messages HTTP/1.1\r\nHost: model\r\nConnection: close\r\n";
    // By what it says of itself; and, where it says nothing, when there was more.
    let said = raw(&world, format!("{head}Content-Length: {}\r\n\r\n", MOST + 1).into_bytes());
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("32 MiB"), "{said}");
    let mut chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", MOST + 1).into_bytes();
    chunk.resize(chunk.len() + MOST + 1, b'x');
    let said = raw(&world, chunk);
    // The connection may be gone before the answer is read.
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413 "), "{said}");
    let denial = world.one_refusal_of(2);
    assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::LimitBytes, Some("/v1/messages")));
    assert_eq!(log.lock().unwrap().len(), 0);
}

#[test]
#[ignore = "needs namespaces"]
fn row_36_what_frames_a_request_in_two_ways_or_breaks_its_lines_does_not_go_on() {
    let world = world(|_| {});
    let log = serve(&world, |_| fine());
    let length = BODY.len();
    let inner = "POST /v1/files HTTP/1.1\r\nHost: model\r\nContent-Length: 0\r\n\r\n";
    for (fields, body) in [
        (format!("X-App: a\rx-api-key: of-the-agent\r\nContent-Length: {length}"), BODY.to_owned()),
        (format!("X-App: a\nx-api-key: of-the-agent\r\n\tb\r\nContent-Length: {length}"), BODY.to_owned()),
        (format!("X-App: a\r\n x-api-key: of-the-agent\r\nContent-Length: {length}"), BODY.to_owned()),
        (format!("Content-Length: {length}\r\nContent-Length: {}", length + inner.len()), format!("{BODY}{inner}")),
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), format!("{BODY}{inner}")),
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), format!("0\r\n\r\n{inner}")),
    ] {
        let text = format!("POST /v1/messages HTTP/1.1\r\nHost: model\r\nConnection: close\r\n{fields}\r\n\r\n{body}");
        let said = raw(&world, text.into_bytes());
        assert!(said.starts_with("HTTP/1.1 4"), "{fields}: {said}");
        assert_eq!(log.lock().unwrap().len(), 0, "{fields}");
    }
    // What belongs to a connection is the gate's own on the other side.
    for named in ["x-api-key", "authorization", "anthropic-version"] {
        let fields = format!("Connection: {named}\r\nx-api-key: of-the-agent\r\nanthropic-version: 2023-06-01\r\n");
        assert_eq!(ask(&world, "POST /v1/messages", &fields, BODY).0, 200, "{named}");
        let asked = log.lock().unwrap().pop().unwrap();
        assert_eq!((asked.header("authorization"), asked.header("x-api-key")), (Some("bearer oat-first"), None));
        assert!(asked.header("connection").is_none_or(|listed| !listed.contains(named)), "{asked:?}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_model_api_whose_name_leads_inside_is_refused_and_told() {
    const NAME: &str = "api.example.org";
    let world = world(|route| {
        let endpoint = format!("{NAME}:443").parse().unwrap();
        route.upstream = Upstream { endpoint, tls: true, private: false, authority: None };
    });
    world.internet.moves(NAME, std::net::Ipv4Addr::new(10, 0, 0, 1));
    let (status, said) = message(&world);
    assert!(status == 502 && said.contains("resolve.private"), "{status}: {said}");
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::ResolvePrivate, Some(NAME)));
}

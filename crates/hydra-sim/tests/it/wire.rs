//! The model endpoint, byte by byte: what a client sees that is not our own.

use crate::desk::*;
use hydra_core::Stage;
use hydra_sim::model::scenario;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Sends one request; status line and headers, and the body.
async fn ask(desk: &Desk, method: &str, path: &str, headers: &str, body: &str) -> (String, String) {
    let mut socket = tokio::net::TcpStream::connect(desk.model.address()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

const KEY: &str = "x-api-key: k\r\n";

async fn happy() -> Desk {
    Desk::new(scenario("happy").unwrap().unwrap().script).await
}

fn request(prompt: &str, tools: Value, stream: bool) -> String {
    let messages = json!([{"role": "user", "content": [{"type": "text", "text": "<reminder>"}, {"type": "text", "text": prompt}]}]);
    json!({"model": "claude-opus-4-8", "max_tokens": 9, "messages": messages, "tools": tools, "stream": stream})
        .to_string()
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes() {
    let desk = happy().await;
    let (prompt, _) = desk.prompt(Stage::Build, "hydra-b");
    let body = request(&prompt, json!([{"name": "Read"}]), true);
    let (head, first) = ask(&desk, "POST", "/v1/messages?beta=true", KEY, &body).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    let (_, second) = ask(&desk, "POST", "/v1/messages?beta=true", KEY, &body).await;
    assert_eq!(first, second);
    let events: Vec<_> = first.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    assert_eq!(events[..3], ["message_start", "ping", "content_block_start"]);
    assert_eq!(events[events.len() - 2..], ["message_delta", "message_stop"]);
    assert_eq!(desk.model.usage().sessions["hydra-b"].answers, 2, "each was handed out, each is counted");
}

#[tokio::test]
async fn without_a_stream_it_is_one_message() {
    let desk = happy().await;
    let (prompt, _) = desk.prompt(Stage::Build, "hydra-b");
    let (_, body) = ask(&desk, "POST", "/v1/messages", KEY, &request(&prompt, json!([{"name": "Read"}]), false)).await;
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(message["stop_reason"], "tool_use");
    let path = message["content"][1]["input"]["file_path"].as_str().unwrap();
    assert_eq!(path, desk.dir.path().join("spec/proposal.md").display().to_string());
    assert_eq!(tokens(&message["usage"]), desk.model.usage().all.tokens);
}

#[tokio::test]
async fn a_side_question_spends_no_step_and_is_counted_apart() {
    let desk = happy().await;
    let (prompt, _) = desk.prompt(Stage::Build, "hydra-b");
    for _ in 0..3 {
        let (head, body) = ask(&desk, "POST", "/v1/messages", KEY, &request(&prompt, json!([]), false)).await;
        assert!(head.starts_with("HTTP/1.1 200") && body.contains("title"), "{body}");
    }
    let usage = desk.model.usage();
    assert_eq!((usage.side.answers, usage.sessions.len()), (3, 0));
    assert_eq!(usage.all, usage.side);
    assert_eq!(desk.play(Stage::Build, "hydra-b").await.code, 0);
    assert!(desk.quality());
}

#[tokio::test]
async fn odd_requests_are_refused_in_the_providers_words() {
    let desk = happy().await;
    let (prompt, _) = desk.prompt(Stage::Build, "hydra-b");
    let good = request(&prompt, json!([{"name": "Read"}]), true);
    for (method, path, headers, body, status, word) in [
        ("POST", "/v1/messages", "", good.as_str(), "401", "authentication_error"),
        ("POST", "/v1/messages", "x-api-key: \r\n", &good, "401", "authentication_error"),
        ("POST", "/v1/messages", KEY, "not json", "400", "invalid_request_error"),
        ("POST", "/v1/messages", KEY, "{}", "400", "invalid_request_error"),
        ("GET", "/v1/models", KEY, "", "404", "not_found_error"),
        ("DELETE", "/v1/messages", KEY, "", "404", "not_found_error"),
    ] {
        let (head, answer) = ask(&desk, method, path, headers, body).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(word), "{head}\n{answer}");
    }
    assert!(ask(&desk, "HEAD", "/", "", "").await.0.starts_with("HTTP/1.1 200"));
    let (_, count) = ask(&desk, "POST", "/v1/messages/count_tokens", KEY, &good).await;
    assert!(serde_json::from_str::<Value>(&count).unwrap()["input_tokens"].as_u64().unwrap() > 10);
    assert_eq!(desk.model.usage().all.answers, 0);
}

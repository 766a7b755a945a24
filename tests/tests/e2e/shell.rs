//! A plugin that is a loop of "read a line, answer a line" in a shell script is a good citizen.

use astros_tests::{Plugin, World, eventually, folder, notes};
use nix::sys::signal::Signal;
use serde_json::json;

const SCRIPT: &str = r#"#!/bin/sh
while read -r line; do
  id=$(printf '%s' "$line" | jq -c '.id')
  case $(printf '%s' "$line" | jq -r '.method') in
    initialize)
      result='{"protocol_version": "1.0", "plugin": {"name": "sheller", "handlers": [
        {"name": "count_words", "examples": ["count the words in {text}"]}, {"name": "sleep"}]}}' ;;
    handle_intent)
      if [ "$(printf '%s' "$line" | jq -r '.params.handler')" = sleep ]; then
        printf '%s' "$line" | jq -r '.params.intent.context.note' | xargs touch
        sleep 600
      fi
      words=$(printf '%s' "$line" | jq -r '.params.intent.context.text' | wc -w)
      result="{\"message\": \"$((words)) words\"}" ;;
    shutdown) result=null ;;
    *) continue ;;
  esac
  printf '%s' "$result" | jq -c "{jsonrpc: \"2.0\", id: $id, result: .}"
done
"#;

fn sheller() -> Plugin {
    folder("sheller")
        .file("plugin.yaml", "name: sheller\nsupervision: {stop_grace: 100ms}\n")
        .wants(json!([notes()]))
        .executable("sheller", SCRIPT)
}

#[test]
fn serves_a_request() {
    let world = World::new().with(sheller());
    let counted = world.ask("count the words in one two three").succeeds().answered_by("sheller.count_words");
    assert_eq!(counted.message(), "3 words");
    world.call("sheller", "count_words", json!({ "text": "a b" })).succeeds().says("2 words");
}

#[test]
fn ends_with_its_children_at_an_interrupt() {
    let world = World::new().with(sheller());
    let note = world.note("note");
    let running = world.calling("sheller", "sleep", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().fails(130, "cancelled");
}

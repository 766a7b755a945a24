//! Commands that plugins add, as people meet them: by hand, in pipes, on a terminal; in any language, here in shell.

mod names;
mod runs;
mod terminal;

use astros_tests::{Plugin, folder, notes};
use serde_json::{Value, json};

/// A plugin in shell with these commands; this is run by each of them, with the request in `$line`.
fn tool(name: &str, commands: Value, run: &str) -> Plugin {
    let script = r#"#!/bin/sh
printf x >> "$HOME/notes/starts"
here=$(dirname "$0")
if [ -n "$ASTROS_RPC_FDS" ]; then exec 5<&3 6>&4 3<&- 4>&-; else exec 5<&0 6>&1; fi
code=0
while IFS= read -r line <&5; do
  id=$(printf '%s' "$line" | jq -c .id)
  case $(printf '%s' "$line" | jq -r .method) in
    initialize) first=$line; result=$(cat "$here/description.json") ;;
    command/run) . "$here/run.sh"; result="{\"exit_code\": $code}" ;;
    shutdown) result=null ;;
    *) continue ;;
  esac
  printf '{"jsonrpc": "2.0", "id": %s, "result": %s}\n' "$id" "$result" >&6
done
"#;
    let described = json!({ "protocol_version": "1.0", "limits": { "max_frame_bytes": 1 << 20, "max_in_flight": 1 },
        "plugin": { "name": name, "version": "1.0.0", "commands": commands } });
    folder(name)
        .file(
            "plugin.yaml",
            format!("name: {name}\nplugin_types: [command]\nsupervision: {{stop_grace: 1s}}\n"),
        )
        .file("description.json", described.to_string())
        .file("run.sh", run)
        .wants(json!([notes(), { "call_plugin": ["villain.echo"] }]))
        .executable(name, script)
}

/// One with a single command of its own name, that takes any words.
fn simple(name: &str, run: &str) -> Plugin {
    let words = json!({ "name": "words", "repeated": true });
    tool(name, json!([{ "name": name, "description": "Do it.", "parameters": [words] }]), run)
}

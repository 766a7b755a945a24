#!/bin/sh
# How much room folders take and disks have: a plugin in POSIX shell and jq that does one thing after the other.
#
# jq speaks the protocol. Of each line that comes from the host it makes one line for the loop at the end: an answer
# that is ready, or HANDLER, ID and PATH with tabs between them, which is work for the shell.

jq --unbuffered -nRr '
  def result($result): {jsonrpc: "2.0", id, result: $result};
  def error($code; $message): {jsonrpc: "2.0", id, error: {code: $code, message: $message}};
  def folder: {type: "object", required: ["path"],
               properties: {path: {type: "string", format: "path", default: "."}}};
  def about: {protocol_version: "1.0",
      limits: {max_frame_bytes: 16777216, max_in_flight: 1},  # 1: nothing else is asked while it works
      plugin: {name: "room", version: "1.0.0", description: "How much room folders take.", handlers: [
        {name: "folder_size", description: "Say how much room a folder takes.", effects: "read",
         examples: ["how much room does {path} take", "disk usage of {path}"], parameters: folder},
        {name: "free_space", description: "Say how much room is left on a disk.", effects: "read",
         examples: ["how much room is left in {path}", "free space on {path}"], parameters: folder}]}};
  def work: .params as {$handler, $intent}
    | if $handler | type != "string" then error(-32602; "`handler` is missing")
      elif $handler | IN("folder_size", "free_space") | not then error(-32013; "no such handler")
      else ($intent | try .context.path catch null) as $path
        | if $path | type != "string" or length > 4096 then error(-32602; "`path` is not a path")
          else [$handler, (.id, $path | tojson)] | join("\t") end end;

  label $out | inputs | select(test("\\S"))  # each line that is not empty
  | [try fromjson catch null][0]
  | if type == "array" then {id: null} | error(-32600; "one message a line, please")
    elif type != "object" then {id: null} | error(-32700; "this is no message")
    elif .id | type | IN("string", "number", "null") | not then {id: null} | error(-32600; "this is no id")
    elif has("id") and has("method") | not then empty  # an answer, or a notification: `$/cancel`, too, since
                                                       # what it takes back may be answered all the same
    elif .params | type | IN("object", "null") | not then error(-32602; "params are an object")
    elif .method == "initialize" or .method == "describe" then
      if any(.params.protocol_versions[]?; tostring | startswith("1.")) then result(about)
      else error(-32010; "this plugin speaks 1.0") end
    elif .method == "handle_intent" then work
    elif .method == "ping" then result({})
    elif .method == "shutdown" then result(null), break $out  # the loop ends when its work is done
    else error(-32601; "unknown method") end
  | if type == "object" then tojson else . end
' | while IFS='	' read -r handler id path; do
  case $handler in folder_size | free_space) path=$(printf '%s' "$path" | jq -r .) ;; esac
  size= message=
  case $handler in
    folder_size) size=$(du -sk -- "$path" | cut -f 1) && message="$path takes $size KiB." ;;
    free_space) size=$(df -Pk -- "$path" | awk 'NR == 2 { print $4 }') && message="There are $size KiB left." ;;
    *) printf '%s\n' "$handler" && continue ;;  # a ready answer; JSON has no tabs, so all of it is here
  esac
  jq -nc --argjson id "$id" --arg size "$size" --arg message "$message" --arg path "$path" \
    '{jsonrpc: "2.0", id: $id, result: (if $size == "" then {success: false, message: "`\($path)` cannot be read."}
      else {success: true, message: $message, data: {kib: ($size | tonumber)}} end)}'
done

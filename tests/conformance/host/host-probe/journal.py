"""What the lines that a process got say about its host: duties that only show over a process's whole life."""

import json

KINDS = {"protocol_versions": list, "host": dict, "plugin": dict, "directories": dict, "limits": dict}
AFTER_SHUTDOWN = ("$/cancel", "$/ack")


def judge(tell, lines, who, limit):
    """`lines` as `Wire` keeps them; `tell(rule, fine, sent, expected, received)` takes each finding."""
    asked, ids, answers, open_requests = [], [], [], set()
    answered_initialize, shut_down, ended = False, False, False
    for line in lines:
        mark = line.get("mark")
        if mark == "answered initialize":
            answered_initialize = True
        elif mark == "eof":
            ended = True
        elif mark and mark.startswith("answered "):
            open_requests.discard(mark.removeprefix("answered "))
        if mark:
            continue
        text, size = line["line"], line.get("bytes", len(line["line"]))
        if problem := malformed(text, size, limit):
            tell("H02", False, who, f"whole messages in UTF-8 of {limit} bytes at most", f"{problem}: {text[:200]}")
        try:
            message = json.loads(text)
        except ValueError:
            continue  # cut, or told already
        if not isinstance(message, dict):
            continue
        method, id = message.get("method"), message.get("id")
        if method is None:
            answers.append(json.dumps(id))
            continue
        if shut_down and method not in AFTER_SHUTDOWN:
            tell("H16", False, "the answer to `shutdown`", "answers, `$/cancel` and `$/ack` only", text[:300])
        if "id" not in message:
            continue
        if not answered_initialize and asked and method != "initialize" and "initialize" in asked:
            tell("H04", False, "no answer to `initialize` yet", "nothing else is asked", text[:300])
        if not answered_initialize and method not in ("initialize", "describe"):
            tell("H04", False, "no answer to `initialize` yet", "`initialize`, or `describe`", text[:300])
        if method == "shutdown":
            work = sorted(open_requests)
            tell("H16", not work, "requests that are not answered", "`shutdown` after the drain", f"open: {work}")
            shut_down = True
        if method in ("handle_intent", "bus/deliver"):
            open_requests.add(json.dumps(id))
        if method == "initialize":
            tell("H01", fits(message.get("params")), who, "params that fit their schema", text[:300])
        asked.append(method)
        ids.append(json.dumps(id))
        fine = isinstance(id, str) or isinstance(id, int) and not isinstance(id, bool) and abs(id) < 1 << 53
        if not fine:
            tell("H03", False, who, "a string, or a whole number within ±(2⁵³−1)", f"the id {json.dumps(id)}")
    first = next((method for method in asked if method != "describe"), None)
    once = asked.count("initialize") == 1
    tell("H01", first == "initialize" and once, who, "`initialize` first, and once", f"{asked[:4]}")
    again = sorted({id for id in ids if ids.count(id) > 1})
    tell("H03", not again, who, "each id once", f"{len(ids)} requests, again: {again}")
    twice = sorted({id for id in answers if answers.count(id) > 1 and id != "null"})
    tell("H09", not twice, who, "one answer to each request", f"{len(answers)} answers, twice: {twice}")
    tell("H02", True, who, "whole messages", f"{len(lines)} lines")
    tell("H04", True, who, "nothing before `initialize` is answered", "nothing")
    if shut_down:
        tell(
            "H16",
            ended,
            "the answer to `shutdown`",
            "the end of the input",
            "it came" if ended else "it did not come",
        )


def malformed(text, size, limit):
    if size > limit:
        return f"{size} bytes"
    if size > len(text.encode()):
        return None  # only its beginning was kept
    try:
        message = json.loads(text)
    except ValueError as error:
        return f"no JSON ({error})"
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return "no JSON-RPC 2.0"
    wanted = [name for name in ("jsonrpc", "id", "method") if name in message]
    if list(message)[: len(wanted)] != wanted:
        return f"the order {list(message)}"
    return None


def fits(params):
    if not isinstance(params, dict) or not all(isinstance(params.get(name), kind) for name, kind in KINDS.items()):
        return False
    folders = [params["directories"].get(name) for name in ("data", "cache", "config")]
    names = [params["host"].get("name"), params["host"].get("version"), params["plugin"].get("name")]
    return all(isinstance(one, str) for one in folders + names) and isinstance(
        params["limits"].get("max_frame_bytes"), int
    )

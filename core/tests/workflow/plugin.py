"""Parts of workflows, without an SDK: they note what they do, wait, fail or take their time, as their inputs say."""

import json
import os
import sys
import threading
import time

lock, answered, answers = threading.Lock(), threading.Condition(), {}
at_work, most, tried, data = 0, 0, {}, "."
PARTS = [{"kind": k, "name": n} for k, n in [("agent", "do"), ("phase", "all"), ("orchestrator", "lead")]]
PARTS += [{"kind": "agent", "name": name} for name in sys.argv[1:] if ":" not in name]
PROVIDERS = [{"name": name.split(":")[1], "methods": ["complete"]} for name in sys.argv[1:] if ":" in name]


def say(**message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def step(kind, name, task="", **inputs):
    return {"kind": kind, "name": name, "task": task, "context": {"inputs": inputs}}


def ask_ai(parent):
    """The answer of a provider that is not named."""
    say(id=f"ai-{parent}", method="ai/complete", params={"prompt": "p", "meta": {"parent": parent}})
    with answered:
        answered.wait_for(lambda: f"ai-{parent}" in answers)
    answer = answers[f"ai-{parent}"]
    return answer["result"]["content"] if "result" in answer else answer["error"]["message"]


def decide(context, inputs):
    seen = context["steps"]
    if "many" in inputs and context["round"] == 1:
        return {"success": True, "next": [step("agent", "do")] * inputs["many"]}
    if "wants" in inputs and context["round"] == 1:
        return {"success": True, "next": [step("agent", inputs["wants"], "w", note="wanted", **inputs.get("with", {}))]}
    if "wants" in inputs:
        return {"success": True, "result": [one["error"] or one["success"] for one in seen]}
    if inputs.get("endless") or context["round"] == 1:
        return {"success": True, "next": [step("agent", "do", "a", note="a"), step("agent", "do", "b", says_no=True)]}
    if context["round"] == 2:
        return {"success": True, "next": [step("phase", "all", "c", note="c")]}
    return {"success": True, "result": [[one["name"], one["task"], one["success"]] for one in seen]}


def work(id, params):
    global at_work, most
    context, task = params["context"], params["task"]
    inputs = context["inputs"]
    with lock:
        at_work += 1
        most = max(most, at_work)
        tried[task] = tried.get(task, 0) + 1
    try:
        while inputs.get("wait") and not os.path.exists(os.path.join(data, inputs["wait"])):
            time.sleep(0.005)
        time.sleep(inputs.get("take", 0))
        if inputs.get("crash") and tried[task] == 1 and not os.path.exists(os.path.join(data, "crashed")):
            open(os.path.join(data, "crashed"), "w").close()
            os._exit(3)
        if "note" in inputs:
            with open(os.path.join(data, "noted"), "a") as noted:
                noted.write(inputs["note"] + "\n")
        if tried[task] <= inputs.get("fails", 0):
            raise RuntimeError(f"try {tried[task]}")
        if inputs.get("asks"):
            return {"success": True, "result": ask_ai(id)}
        if inputs.get("says_no"):
            return {"success": False, "message": "it does not want to"}
        if "give" in inputs:
            return {"success": True, "result": "g", "evidence": ["x" * inputs["give"]]}
        if params["kind"] == "orchestrator":
            return decide(context, inputs)
        known = {name: phase["success"] for name, phase in context["results"].items()}
        said = {"task": task, "inputs": inputs, "results": known, "provider": context.get("provider"),
                "limited": "deadline_ms" in params["meta"]}
        return {"success": True, "result": {**said, "most": most}, "evidence": [f"did {task}"]}
    finally:
        with lock:
            at_work -= 1


def serve(id, params):
    try:
        say(id=id, result=work(id, params))
    except Exception as error:
        detail = {"kind": "handler_failed", "detail": "Traceback: in the part"}
        say(id=id, error={"code": -32012, "message": str(error), "data": detail})


for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method == "initialize":
        data = params["directories"]["data"]
        offers = {"name": params["plugin"]["name"], "workflow_parts": PARTS, "providers": PROVIDERS}
        say(id=id, result={"protocol_version": "1.0", "plugin": offers})
    elif method == "workflow/run":
        threading.Thread(target=serve, args=(id, params), daemon=True).start()
    elif method == "provider/complete":
        say(id=id, result={"content": "by " + params["provider"], "provider": params["provider"]})
    elif method is None:
        with answered:
            answers[id] = message
            answered.notify_all()
    elif id is not None:
        say(id=id, result=None)

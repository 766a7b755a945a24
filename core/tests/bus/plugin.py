"""A plugin without an SDK.

Its argument says what it declares and what it subscribes to while it starts. What is delivered to it, it publishes
under `NAME.got`, unless it is `quiet`; the data may say what else to do with it.
"""

import json, os, sys, time

config, backlog, held, last = json.loads(sys.argv[1]), [], [], 0

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)

def ask(method, params):
    global last
    last += 1
    say(id=last, method=method, params=params)
    while (answer := hear()).get("method") or answer.get("id") != last:
        backlog.append(answer)
    return answer

def initialize(params):
    config["name"] = params["plugin"]["name"]
    for subject in config.get("asks", []):
        ask("bus/subscribe", {"subject": subject})
        if config.get("publishes"):
            ask("bus/publish", {"subject": subject, "data": "early"})
    handlers = [{"name": name} for name in ("ask", "hold", "whose", "flood")]
    plugin = {"name": "any", "handlers": handlers, "subscriptions": config.get("declares", [])}
    return {"protocol_version": "1.0", "plugin": plugin}

def handle(id, params):
    context = params["intent"]["context"]
    if params["handler"] == "$message" and not config.get("deaf"):
        return {"data": {"heard": context, "caller": params["meta"].get("caller")}}
    if params["handler"] == "ask":
        return {"data": ask(context["method"], context["params"])}
    if params["handler"] == "whose":
        return {"data": {"user": params["meta"].get("user_id"), "chain": params["meta"].get("chain")}}
    if params["handler"] == "flood":
        lines = [{"jsonrpc": "2.0", "id": f"f{n}", "method": "bus/publish", "params": {"subject": "topic.x", "data": n}}
                 for n in range(context["count"])]
        sys.stdout.write("".join(json.dumps(line) + "\n" for line in lines))
        sys.stdout.flush()
        answers = [hear() for _ in lines]
        return {"data": [answer.get("error", {}).get("code") for answer in answers]}
    if params["handler"] == "hold":
        held.append(id)
        ask("bus/publish", {"subject": config["name"] + ".held"})

def deliver(id, params):
    got = {"data": params["message"]["data"], "subject": params["message"]["subject"],
           "sender": params["message"]["sender"], "dropped": params.get("dropped", 0)}
    orders = got["data"] if isinstance(got["data"], dict) else {}
    if "die" in orders:
        os._exit(3)
    while "wait" in orders and not os.path.exists(orders["wait"]):
        time.sleep(0.002)
    if "call" in orders:
        call = {"plugin": orders["call"], "handler": "whose", "meta": {"parent": id}}
        got["answer"] = ask("call_plugin", call)
    if not config.get("quiet"):
        ask("bus/publish", {"subject": config["name"] + ".got", "data": got})
    if "hang" in orders:
        return
    if "code" in orders:
        return say(id=id, error={"code": orders["code"], "message": "not for me"})
    say(id=id, result={})
    while held:
        say(id=held.pop(), result={})

while True:
    message = backlog.pop(0) if backlog else hear()
    id, method = message.get("id"), message.get("method")
    if method == "initialize":
        say(id=id, result=initialize(message["params"]))
    elif method == "bus/deliver":
        deliver(id, message["params"])
    elif method == "handle_intent":
        answer = handle(id, message["params"])
        if answer is not None:
            say(id=id, result=answer)
        elif id not in held:
            say(id=id, error={"code": -32013, "message": "no such handler"})
    elif id is not None and method:
        say(id=id, result=None)

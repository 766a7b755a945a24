//! Many calls at once, and plugins that fail again and again.

use astros_tests::{World, adversary, python};
use serde_json::{Value, json};

const MANY: &str = r#"
import asyncio
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Many(BasePlugin):
    @plugin_handler("at_once")
    async def at_once(self, intent):
        """Makes many calls at once, and gives what each was answered."""
        calls = [self.call_plugin("villain", "echo", {"number": number}) for number in range(200)]
        answers = await asyncio.gather(*calls)
        return Response(data=[answer.data["intent"]["context"]["number"] for answer in answers])

    @plugin_handler("one_by_one")
    async def one_by_one(self, intent):
        """Calls a handler again and again, and gives the kind of each outcome."""
        outcomes = []
        for _ in range(intent.context["times"]):
            answer = await self.call_plugin("villain", intent.context["handler"], {})
            outcomes.append("success" if answer.success else answer.error["kind"])
        return Response(data=outcomes)
"#;

#[test]
fn gives_each_of_many_calls_its_own_answer() {
    let world =
        World::new().with(adversary("villain")).with(python("many", MANY).wants(json!(["call_plugin"])));
    let answers = world.call("many", "at_once", json!({})).succeeds().data();
    assert_eq!(answers, Value::from((0..200).collect::<Vec<_>>()));
}

#[test]
fn starts_a_plugin_again_until_it_crashes_too_often() {
    let hasty = adversary("villain").supervised(json!({ "backoff_initial": "1ms", "max_restarts": 3 }));
    let world = World::new().with(hasty).with(python("many", MANY).wants(json!(["call_plugin"])));
    let outcomes =
        world.call("many", "one_by_one", json!({ "handler": "crash", "times": 6 })).succeeds().data();
    let outcomes: Vec<_> = outcomes.as_array().expect("outcomes").iter().filter_map(Value::as_str).collect();
    let crashes = outcomes.iter().take_while(|one| **one == "plugin_crashed").count();
    assert_eq!(crashes, 4, "the first start and three restarts: {outcomes:?}");
    assert!(
        outcomes[crashes..].iter().all(|one| *one == "plugin_unavailable"),
        "then quarantined: {outcomes:?}"
    );
}

#[test]
fn forgets_no_request_of_a_plugin_whose_callee_misbehaves() {
    let world =
        World::new().with(adversary("villain")).with(python("many", MANY).wants(json!(["call_plugin"])));
    let outcomes = |handler: &str| {
        world.call("many", "one_by_one", json!({ "handler": handler, "times": 5 })).succeeds().data()
    };
    assert_eq!(outcomes("garbage"), json!(vec!["bad_response"; 5]));
    assert_eq!(outcomes("twice"), json!(vec!["success"; 5]));
}

#[test]
fn serves_many_commands_at_once_in_a_fresh_home() {
    let world = World::new().with(python("many", MANY).wants(json!(["call_plugin"])));
    let commands: Vec<_> = (0..4).map(|_| world.astros(["ask", "--json", "say hello"]).spawn()).collect();
    for command in commands {
        command.finish().succeeds().answered_by("hello-world.say_hello");
    }
}

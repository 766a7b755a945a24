//! What people see on a terminal: colour, questions, progress.

use astros_tests::{Plugin, World, adversary, python};
use serde_json::json;

#[test]
fn colours_a_terminal_unless_it_is_told_not_to() {
    let world = World::new();
    let list = || world.astros(["plugins", "list"]);
    list().run_on_a_terminal("").succeeds().says("hello-world").says("\u{1b}[");
    list().env("NO_COLOR", "1").run_on_a_terminal("").succeeds().says("hello-world").never_says("\u{1b}[");
    list().arg("--json").run_on_a_terminal("").succeeds().never_says("\u{1b}[");
}

#[test]
fn asks_before_it_enables_a_plugin() {
    let world = World::new();
    Plugin::from(adversary("newcomer")).write(&world.home().join("data/plugins"));
    let enable = || world.astros(["plugins", "enable", "newcomer"]);
    enable().run_on_a_terminal("n\n").exits(1).says("[y/N]").says("stays as it was");
    world.call("newcomer", "echo", json!({})).fails(6, "plugin_unavailable");
    enable().run_on_a_terminal("y\n").succeeds().says("`newcomer` is enabled");
    world.call("newcomer", "echo", json!({})).succeeds();
}

#[test]
fn asks_at_the_first_use_and_goes_on() {
    let world = World::new();
    Plugin::from(adversary("newcomer")).write(&world.home().join("data/plugins"));
    let call = || world.astros(["plugins", "call", "newcomer", "echo", "--params", r#"{"word": "wave"}"#]);
    call().run_on_a_terminal("n\n").exits(6).says("will not see").says("[y/N]").says("waits to be enabled");
    call().run_on_a_terminal("y\n").succeeds().says("will not see");
    call().run_on_a_terminal("").succeeds().never_says("[y/N]");
}

/// Says how far it is until half a second is over: short work shows no bar.
const SLOW: &str = r#"
import asyncio
from astros.plugin import BasePlugin, plugin_handler

class Slow(BasePlugin):
    @plugin_handler("work")
    async def work(self, intent):
        for step in range(50):
            await self.progress(step, 50, "kneading the dough")
            await asyncio.sleep(0.01)
        return "The bread is done."
"#;

#[test]
fn shows_the_progress_of_long_work() {
    let world = World::new().with(python("baker", SLOW));
    let work = || world.astros(["plugins", "call", "baker", "work"]);
    work().run_on_a_terminal("").succeeds().says("kneading the dough").says("/50").says("The bread is done.");
    let piped = work().run().succeeds();
    assert_eq!(
        (&*piped.stdout, &*piped.stderr),
        ("The bread is done.\n", ""),
        "a pipe gets the answer alone"
    );
}

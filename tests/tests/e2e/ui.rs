//! Components of plugins, as people meet them: printed, live on a terminal, and within those of other plugins.

use astros_tests::{Plugin, World, kinds, python};
use nix::sys::signal::Signal;
use serde_json::json;

/// Draws a table, a frame around something of another's, and one that counts on and on.
fn drawing(name: &str) -> Plugin {
    let code = r#"
import asyncio
from astros.ui import UIPlugin

class Drawing(UIPlugin):
    def get_ui_components(self):
        return {"sizes": self.sizes, "count": self.count, "frame": self.frame, "itself": self.itself, "NAME-own": self.sizes}

    def sizes(self, unit: str = "B") -> dict:
        """Sizes of things."""
        return {"type": "table", "columns": ["Thing", "Size"], "rows": [["a", f"1 {unit}"], ["b\u001b[2J", f"2 {unit}"]]}

    async def count(self, to: int = 100000):
        """Counts up."""
        for number in range(1, to + 1):
            yield {"type": "panel", "title": "count", "content": {"type": "text", "text": f"number {number}"}}
            await asyncio.sleep(0.02)

    def itself(self, rounds: int = 100000) -> None:
        """Draws itself."""
        import sys, time
        print("on a terminal" if sys.stdout.isatty() else "not on a terminal")
        try:
            for number in range(1, rounds + 1):
                print(f"\rround {number}.", end="", flush=True)
                time.sleep(0.02)
        except KeyboardInterrupt:
            print("tidied up")
            raise

    async def frame(self, plugin: str, component: str = "sizes") -> dict:
        """A frame around another's."""
        inner = await self.call_plugin(plugin, "$render", {"component": component}, check=True)
        return {"type": "panel", "title": "framed", "content": inner.data}
"#;
    python(name, &code.replace("NAME", name))
}

#[test]
fn prints_a_component_once_and_plain_where_no_terminal_is() {
    let world = World::new().with(drawing("draw"));
    let listed = world.astros(["ui", "list"]).run().succeeds();
    listed.says("COMPONENT").says("count").says("live").says("Counts up.");
    let drawn = world.astros(["ui", "render", "sizes", "--props", r#"{"unit": "kB"}"#]).run().succeeds();
    let drawn = drawn.says("Thing").says("1 kB").never_says("\u{1b}");
    assert!(drawn.stdout.contains("2 kB"), "{}", drawn.stdout);
    let tree = world.astros(["ui", "render", "sizes", "--json"]).run().succeeds().json();
    assert_eq!((&tree["plugin"], &tree["tree"]["rows"][0]), (&json!("draw"), &json!(["a", "1 B"])));
    let live = world.astros(["ui", "render", "count"]).run().succeeds();
    live.says("number 1 ").never_says("number 2").never_says("\u{1b}");
    let live = world.astros(["ui", "render", "count", "--json"]).run().succeeds().json();
    assert_eq!(live["tree"]["content"]["text"], "number 1");
    let narrow = world.astros(["ui", "render", "count", "--width", "30"]).run().succeeds();
    assert_eq!(narrow.stdout.lines().map(|line| line.chars().count()).max(), Some(30));
}

#[test]
fn says_what_is_wrong_with_a_wish() {
    let world = World::new().with(drawing("draw"));
    let wish = |more: &[&str]| world.astros(["ui", "render", "--json"].iter().chain(more)).run();
    wish(&["sized"])
        .fails(2, "handler_not_found")
        .says("there is no component `sized`")
        .says("did you mean `sizes`?");
    wish(&["sizes", "--props", r#"{"init": 1}"#]).fails(2, "invalid_params").says("init");
    wish(&["sizes", "--props", "7"]).fails(2, "invalid_params");
    wish(&["sizes", "--plugin", "nobody"]).fails(2, "plugin_not_found");
    let world = world.with(drawing("other"));
    let wish = |more: &[&str]| world.astros(["ui", "render", "--json"].iter().chain(more)).run();
    // The new one has to be known before anybody can say that there are two.
    world.astros(["ui", "list"]).run().succeeds();
    wish(&["sizes"]).fails(2, "handler_not_found").says("`draw` and `other`");
    assert_eq!(wish(&["sizes", "--plugin", "other"]).succeeds().json()["plugin"], "other");
    assert_eq!(wish(&["draw-own"]).succeeds().json()["plugin"], "draw");
}

#[test]
fn draws_a_live_one_anew_until_ctrl_c() {
    let world = World::new().with(drawing("draw"));
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let mut count = world.astros(["ui", "render", "count"]).spawn_on_a_terminal();
        // Which of them are seen depends on how fast they come.
        count.shows("number ");
        let between = count.shows("number ");
        assert!(between.contains("\u{1b}[3A"), "it moves up and draws in its place: {between:?}");
        count.resize(40);
        count.shows(&format!("╰{}╯", "─".repeat(38)));
        count.signal(Signal::SIGINT);
        let (code, rest) = count.finish_showing();
        assert!(code == Some(130) && !rest.contains("interrupted"), "{rest}");
        drop(daemon.map(|daemon| daemon.stop()));
    }
    let ends =
        world.astros(["ui", "render", "count", "--props", r#"{"to": 3}"#]).run_on_a_terminal("").succeeds();
    ends.says("number 3 ").never_says("error");
}

#[test]
fn draws_what_a_plugin_in_rust_has_live_and_plain() {
    let world = World::new().with(kinds());
    let printed = world.astros(["ui", "render", "sizes", "--width", "42"]).run().succeeds();
    printed.says("screen").says("42").never_says("\u{1b}");
    let live = world.astros(["ui", "render", "count"]).run().succeeds();
    live.says("number 1 ").never_says("number 2").never_says("\u{1b}");
    let mut count = world.astros(["ui", "render", "count"]).spawn_on_a_terminal();
    count.shows("number ");
    count.resize(40);
    count.shows(&format!("╰{}╯", "─".repeat(38)));
    count.signal(Signal::SIGINT);
    assert_eq!(count.finish(), Some(130));
    let ends = world.astros(["ui", "render", "count", "--props", r#"{"to": 3}"#]).run_on_a_terminal("");
    ends.succeeds().says("number 3 ").never_says("error");
}

#[test]
fn draws_within_anothers_where_it_may() {
    let world = World::new()
        .with(drawing("inner"))
        .with(drawing("outer").wants(json!([{ "call_plugin": ["inner.$render"] }])));
    let frame = |plugin: &str, props: &str| {
        world.astros(["ui", "render", "frame", "--plugin", plugin, "--props", props, "--json"]).run()
    };
    let tree = frame("outer", r#"{"plugin": "inner"}"#).succeeds().json();
    assert_eq!(
        (&tree["tree"]["title"], &tree["tree"]["content"]["rows"][0][0]),
        (&json!("framed"), &json!("a"))
    );
    let unknown = frame("outer", r#"{"plugin": "inner", "component": "size"}"#);
    unknown.fails(2, "handler_not_found").says("no component `size`");
    frame("inner", r#"{"plugin": "outer"}"#)
        .fails(5, "handler_failed")
        .says("`inner` may not call `outer.$render`")
        .says("`astros plugins grant inner 'call_plugin: outer.$render'` allows it");
}

#[test]
fn lets_one_that_draws_itself_have_the_terminal() {
    let world = World::new().with(drawing("draw"));
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let mut itself = world.astros(["ui", "render", "itself"]).spawn_on_a_terminal();
        itself.shows("on a terminal");
        itself.shows("round 3.");
        itself.signal(Signal::SIGINT);
        itself.shows("tidied up");
        assert_eq!(itself.finish(), Some(130));
        drop(daemon.map(|daemon| daemon.stop()));
    }
    let three = ["ui", "render", "itself", "--props", r#"{"rounds": 3}"#];
    let ends = world.astros(three).run_on_a_terminal("").succeeds();
    ends.says("round 3.").never_says("not on").never_says("error");
    let printed = world.astros(three).run().succeeds();
    printed.says("not on a terminal").says("round 3.");
}

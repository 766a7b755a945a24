//! Conversations: a plugin that asks back gets the session's next text.

use astros_tests::{World, python};

const PIZZA: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Pizza(BasePlugin):
    @plugin_handler("order_pizza", examples=["order a pizza for {guest}", "order a pizza"])
    async def order_pizza(self, intent):
        if intent.text.startswith("order"):
            return Response(message="Which one?", requires_followup=True)
        return Response(message=f"{intent.text} for {intent.context.get('guest')}", data={"session": intent.session_id})
"#;

#[test]
fn gives_the_next_text_of_a_session_to_the_plugin_that_asked() {
    let world = World::new().with(python("pizza", PIZZA));
    let ask = |session: &str, text: &str| world.astros(["ask", "--json", "--session", session, text]).run();
    let asked = ask("dinner", "order a pizza for Grace").succeeds();
    assert_eq!(asked.json()["requires_followup"], true);
    ask("lunch", "quattro stagioni").fails(4, "not_understood");
    let answered = ask("dinner", "quattro stagioni").succeeds().answered_by("pizza.order_pizza");
    assert_eq!(answered.message(), "quattro stagioni for Grace", "what was known before is kept");
    assert_eq!(answered.data()["session"], "dinner");
    ask("dinner", "quattro stagioni").fails(4, "not_understood");
}

#[test]
fn has_one_session_a_person_by_default() {
    let world = World::new().with(python("pizza", PIZZA));
    world.ask("order a pizza").succeeds().says("Which one?");
    let other = world.astros(["ask", "--json", "margherita"]).env("USER", "grace").run();
    other.fails(4, "not_understood");
    world.ask("margherita").succeeds().answered_by("pizza.order_pizza");
}

#[test]
fn asks_which_folder_and_takes_the_answer() {
    let world = World::new();
    let photo = world.file("home/inbox/a.jpg", "a picture");
    world.ask("organize my files").succeeds().says("Which folder");
    let folder = photo.parent().unwrap();
    world
        .ask(&folder.to_string_lossy())
        .succeeds()
        .answered_by("smart-organizer.organize_files")
        .says("Organized 1 file");
    assert!(folder.join("Images/a.jpg").is_file());
}

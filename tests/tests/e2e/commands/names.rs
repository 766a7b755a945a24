//! Whose a command is, help and completion: from what is known, with nothing started.

use std::fs;

use astros_tests::World;
use serde_json::json;

use super::{simple, tool};

#[test]
fn helps_without_a_process() {
    let commands = json!([{ "name": "garden", "description": "Tend the garden.\n\nWith care.", "commands": [
        { "name": "water", "description": "Water it.", "parameters": [
            { "name": "litres", "type": "number", "flags": ["--litres", "-l"], "default": 2.5, "description": "How much" },
            { "name": "bed", "description": "Which\u{1b}[2J one" }] },
        { "name": "burn", "hidden": true }] }]);
    let world = World::new().with(tool("garden", commands, "echo watered"));
    world.astros(["garden", "water"]).run().succeeds().says("watered");
    let starts = world.starts();
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let top = world.astros(["garden", "--help"]).run().succeeds();
        top.says("Tend the garden.").says("With care.").says("water").never_says("burn");
        for line in
            [&["garden", "water", "--help"][..], &["help", "garden", "water"], &["garden", "water", "-h"]]
        {
            let help = world.astros(line).run().succeeds().says("Usage: astros garden water");
            help.says("-l, --litres <LITRES>").says("[default: 2.5]").says("How much").never_says("\u{1b}");
        }
        let all = world.astros(["--help"]).run().succeeds();
        all.says("Commands of plugins:").says("garden  Tend the garden. (garden)");
        world.astros(["help", "ask"]).run().succeeds().says("Usage: astros ask");
        drop(daemon.map(|daemon| daemon.stop()));
    }
    assert_eq!(world.starts(), starts, "nothing was started");
}

#[test]
fn a_description_without_end_comes_to_one() {
    let long = "x ".repeat(200_000);
    let commands = json!([{ "name": "talk", "description": &long, "epilog": &long, "commands": [
        { "name": "on", "description": &long, "parameters": [{ "name": "a", "description": &long, "metavar": &long }] }] }]);
    let world = World::new().with(tool("talk", commands, "echo talked"));
    world.astros(["talk", "on"]).run().succeeds().says("talked");
    for (line, longest) in
        [(&["--help"][..], 20_000), (&["talk", "--help"], 60_000), (&["talk", "on", "--help"], 30_000)]
    {
        let help = world.astros(line).run().succeeds().says("x x x").stdout;
        assert!(help.len() < longest, "{line:?}: {}", help.len());
    }
    let asked = world.astros(["--", "astros", "ta"]).env("ASTROS_COMPLETE", "fish");
    let said = asked.run().succeeds().says("talk").stdout;
    assert!(said.len() < 300, "{}", said.len());
}

#[test]
fn names_the_nearest_where_nobody_has_a_word() {
    let world = World::new().with(simple("garden", ""));
    let refused = world.astros(["gardn"]).run().exits(2).prints_nothing();
    refused.warns("no command `gardn`").warns("did you mean `astros garden`?");
    world
        .astros(["--json", "plugns"])
        .run()
        .fails(2, "invalid_params")
        .says("did you mean `astros plugins`?");
}

#[test]
fn names_plugins_that_wait_to_be_enabled_where_nobody_has_a_word() {
    let world = World::new();
    simple("garden", "").write(&world.home().join("data/plugins"));
    let refused = world.astros(["garden"]).run().exits(2).prints_nothing();
    refused.warns("`garden` could not be asked: it waits").warns("`astros plugins enable garden` shows what");
}

#[test]
fn asks_at_a_terminal_whether_one_that_waits_shall_run_and_runs_it() {
    for with_daemon in [false, true] {
        let world = World::new();
        let place = world.home().join("data/plugins");
        simple("garden", "echo watered").write(&place);
        simple("shed", "").write(&place);
        let daemon = with_daemon.then(|| world.daemon([""; 0]));
        let typed = |word: &str, answer| world.astros([word]).run_on_a_terminal(answer);
        let declined = typed("garden", "n\n").exits(2);
        declined.says("`garden` may be a command of `garden`").says("wants to").says("no command `garden`");
        let unclear = typed("water", "").exits(2).never_says("[y/N]");
        unclear.says("`garden` could not be asked").says("`shed` could not be asked");
        typed("garden", "y\n").succeeds().says("[y/N]").says("watered");
        typed("garden", "").succeeds().says("watered").never_says("[y/N]");
        drop(daemon.map(|daemon| daemon.stop()));
    }
}

#[test]
fn refuses_what_two_have_or_astros_itself() {
    let both = |name: &str| {
        let commands = json!([{ "name": "same" }, { "name": "ask" }, { "name": format!("own-{name}") },
            { "name": "odd", "parameters": [{ "name": "a", "flags": ["-long"] }] }]);
        tool(name, commands, "echo ran")
    };
    let world = World::new().with(both("one")).with(both("two"));
    let clash = world.astros(["same"]).run().exits(2).prints_nothing();
    clash.warns("the plugins `one` and `two` both have one").warns("astros plugins disable");
    world.astros(["own-two"]).run().succeeds().says("ran");
    world.astros(["ask", "--help"]).run().succeeds().says("Say what you want");
    let listed = world.listed("one");
    let problems: Vec<&str> =
        listed["problems"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    for part in ["command `same` is left out", "`astros ask` is AstrOS's own", "`-long` of `a`"] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
    }
    world.astros(["plugins", "list"]).run().succeeds().says("one: the command `same` is left out");
    world.astros(["plugins", "disable", "one"]).run().succeeds();
    world.astros(["same"]).run().succeeds().says("ran");
    world
        .astros(["own-one"])
        .run()
        .exits(6)
        .warns("`own-one` is a command of the plugin `one`")
        .warns("disabled");
}

#[test]
fn lets_a_higher_rank_shadow_a_lower_one() {
    let world = World::new().with(tool("near", json!([{ "name": "same" }]), "echo near"));
    let far = tool("far", json!([{ "name": "same" }, { "name": "alone" }]), "echo far");
    far.write(&world.home().join("data/plugins"));
    world.astros(["plugins", "enable", "far", "--yes"]).run().succeeds();
    assert_eq!(world.astros(["same"]).run().succeeds().stdout, "near\n");
    assert_eq!(world.astros(["alone"]).run().succeeds().stdout, "far\n");
    assert_eq!(world.listed("far")["problems"], json!([]));
}

#[test]
fn completes_commands_options_choices_and_paths_and_starts_nothing() {
    let commands = json!([{ "name": "paint", "description": "Paint it.", "commands": [{ "name": "wall", "parameters": [
        { "name": "color", "flags": ["--color"], "choices": ["red", "green"] },
        { "name": "file", "type": "path" }] }] }]);
    let world = World::new().with(tool("paint", commands, "echo painted"));
    world.astros(["paint", "wall"]).run().succeeds();
    world.file("here/picture.png", "");
    let starts = world.starts();
    let complete = |line: &[&str]| {
        let words: Vec<&str> = ["--", "astros"].iter().chain(line).copied().collect();
        let asked = world.astros(words).within(&world.path("here")).env("ASTROS_COMPLETE", "bash");
        asked
            .env("_CLAP_COMPLETE_INDEX", line.len().to_string())
            .env("_CLAP_IFS", "\n")
            .run()
            .succeeds()
            .stdout
    };
    for daemon in [None, Some(world.daemon([""; 0]))] {
        assert_eq!(complete(&["pai"]).trim(), "paint");
        assert!(complete(&["pl"]).contains("plugins"), "its own, too");
        assert!(complete(&["paint", ""]).contains("wall"));
        assert!(complete(&["paint", "wall", "--c"]).contains("--color"));
        assert_eq!(complete(&["paint", "wall", "--color", "g"]).trim(), "green");
        assert!(complete(&["paint", "wall", "pic"]).contains("picture.png"));
        drop(daemon.map(|daemon| daemon.stop()));
    }
    assert_eq!(world.starts(), starts, "nothing was started");
    for shell in ["bash", "zsh", "fish"] {
        world.astros(["completion", shell]).run().succeeds().says("ASTROS_COMPLETE").says("astros");
    }
    world.astros(["completion", "tcsh"]).run().exits(2);
}

#[test]
fn an_answer_that_fits_no_more_is_an_error_of_the_plugins() {
    let world = World::new().with(simple("odd", "code='\"x\"'"));
    world.astros(["odd"]).run().exits(5).warns("does not fit");
    let bytes = world.astros(["odd"]).in_shell("\"$@\" \"$(printf '\\377')\"").run();
    bytes.exits(2).warns("UTF-8");
    // What is known of it changes with its code.
    let description = world.path("plugins/odd/description.json");
    let changed = fs::read_to_string(&description).unwrap().replace("Do it.", "Do it anew.");
    fs::write(&description, changed).unwrap();
    world.astros(["odd"]).run().exits(5);
    world.astros(["odd", "--help"]).run().succeeds().says("Do it anew.");
}

//! How a command runs: what it is given, what comes out, how it ends, what it may see.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path};

use astros_tests::{World, adversary, eventually, processes};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{simple, tool};

#[test]
fn gives_arguments_by_their_types_with_defaults_and_the_words_as_typed() {
    let commands = json!([{ "name": "shop", "parameters": [
        { "name": "loud", "type": "boolean", "flags": ["--loud"], "off_flags": ["--quiet"], "default": true },
    ], "commands": [{ "name": "buy", "parameters": [
        { "name": "what", "required": true, "choices": ["tea", "milk"] },
        { "name": "count", "type": "integer", "flags": ["--count", "-c"], "default": 1 },
        { "name": "tag", "flags": ["--tag"], "repeated": true },
    ]}]}]);
    let run = r#"printf '%s' "$line" | jq -c '.params | {command, args, argv, cwd}'; code=3"#;
    let world = World::new().with(tool("shop", commands, run));
    let plain = world.astros(["shop", "buy", "tea"]).run().exits(3).json();
    assert_eq!(plain["args"], json!({ "loud": true, "what": "tea", "count": 1, "tag": [] }));
    assert_eq!(plain["cwd"], json!(world.path("tmp").parent()), "{plain}");
    let full = ["shop", "--quiet", "buy", "milk", "-c", "7", "--tag=a", "--tag", "b"];
    let full = world.astros(full).run().exits(3).json();
    assert_eq!(full["args"], json!({ "loud": false, "what": "milk", "count": 7, "tag": ["a", "b"] }));
    let argv = json!(["shop", "--quiet", "buy", "milk", "-c", "7", "--tag=a", "--tag", "b"]);
    assert_eq!((&full["command"], &full["argv"]), (&json!("shop buy"), &argv));

    for (line, why) in [
        (&["shop", "buy"][..], "<WHAT>"),
        (&["shop", "buy", "beer"][..], "tea, milk"),
        (&["shop", "buy", "tea", "--count", "many"][..], "invalid value 'many'"),
        (&["shop", "sell"][..], "sell"),
        (&["shop", "buy", "tea", "--cout", "2"][..], "--count"),
    ] {
        world.astros(line).run().exits(2).prints_nothing().warns(why);
    }
}

#[test]
fn takes_settings_from_the_environment_that_it_is_typed_in() {
    let manifest = "name: shop\nplugin_types: [command]\nconfiguration:\n  settings: {days: 3, shelf: left}\n  \
                    schema: {properties: {days: {type: integer}, token: {type: string, writeOnly: true}}}\n";
    let run = r#"printf '%s' "$first" | jq -c .params.settings; printenv | grep SHOP | sort | tr '\n' ' '"#;
    let world =
        World::new().with(tool("shop", json!([{ "name": "shop" }]), run).file("plugin.yaml", manifest));
    let world = world.env("ASTROS_SHOP_SHELF", "right");
    let typed = || {
        let typed = world.astros(["shop"]).env("ASTROS_SHOP_DAYS", "7").env("ASTROS_SHOP_TOKEN", "s3cret");
        typed.env("ASTROS_OTHER_DAYS", "1").run().succeeds().stdout
    };
    let expected = "{\"days\":7,\"shelf\":\"right\",\"token\":\"s3cret\"}\n\
                    ASTROS_SHOP_DAYS=7 ASTROS_SHOP_SHELF=right ";
    assert_eq!(typed(), expected);
    let daemon = world.daemon([""; 0]);
    assert_eq!(typed(), expected, "a daemon that was started without it");
    let plain = world.astros(["shop"]).run().succeeds();
    assert_eq!(plain.stdout, "{\"days\":3,\"shelf\":\"right\"}\nASTROS_SHOP_SHELF=right ");
    let refused = world.astros(["shop"]).env("ASTROS_SHOP_DAYS", "many").run().exits(2).prints_nothing();
    refused.warns("ASTROS_SHOP_DAYS").warns("/days");
    drop(daemon.stop());
}

#[test]
fn passes_pipes_on_byte_for_byte() {
    let world = World::new().with(simple("filter", "cat; echo done >&2"));
    let much: String = (0..200_000).map(|number| format!("{number}\u{1f375}\t")).collect();
    let passed = world.astros(["filter"]).stdin(much.clone()).run().succeeds();
    assert!(passed.stdout == much, "{} bytes became {}", much.len(), passed.stdout.len());
    assert_eq!(passed.stderr, "done\n", "standard error is the person's");
    let daemon = world.daemon([""; 0]);
    let again = world.astros(["filter"]).stdin("by a daemon\n").run().succeeds();
    assert_eq!(again.stdout, "by a daemon\n");
    drop(daemon.stop());
}

#[test]
fn ends_with_its_reader() {
    let world = World::new().with(simple("forever", "exec yes"));
    let line = "\"$@\" | head -1; echo ended";
    assert_eq!(world.astros(["forever"]).in_shell(line).run().succeeds().stdout, "y\nended\n");
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn ends_by_signals_with_all_that_it_started() {
    // The note by the shell itself: where bash is `sh`, it takes an interrupt for that of a program that ends well just then.
    let world = World::new().with(simple("nap", ": > \"$HOME/notes/naps\"; sleep 600"));
    let note = world.note("naps");
    for daemon in [None, Some(world.daemon([""; 0]))] {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
            let running = world.astros(["nap"]).spawn();
            eventually("it naps", || note.exists().then_some(()));
            running.signal(signal);
            running.finish().exits(code).prints_nothing().never_says("error");
            fs::remove_file(&note).unwrap();
        }
        drop(daemon.map(|daemon| daemon.stop()));
    }
}

#[test]
fn a_second_interrupt_kills_who_does_not_heed_the_first() {
    let run = "trap 'echo no' INT; touch \"$HOME/notes/naps\"; while :; do sleep 0.1; done";
    let world = World::new().with(simple("stubborn", run));
    let note = world.note("naps");
    let running = world.astros(["stubborn"]).spawn();
    eventually("it naps", || note.exists().then_some(()));
    running.signal(Signal::SIGINT);
    eventually("it has heard", || running.stdout().contains("no").then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().exits(130);
}

#[test]
fn dies_with_its_client_and_with_its_daemon() {
    let world = World::new().with(simple("nap", "touch \"$HOME/notes/naps\"; sleep 600"));
    let note = world.note("naps");
    let daemon = world.daemon([""; 0]);
    let nap = || {
        let running = world.astros(["nap"]).spawn();
        eventually("it naps", || note.exists().then_some(()));
        fs::remove_file(&note).unwrap();
        running
    };
    let client = nap();
    client.signal(Signal::SIGKILL);
    drop(client.finish());
    let naps = |pid: &u32| processes::describe(*pid).contains("sleep 600");
    eventually("nobody naps", || (!world.processes().iter().any(naps)).then_some(()));
    let client = nap();
    daemon.signal(Signal::SIGKILL);
    client.finish().exits(3).warns("the daemon went away");
    drop(daemon.finish());
    eventually("nobody is left", || world.processes().is_empty().then_some(()));
}

#[test]
fn a_daemon_that_stops_ends_what_runs() {
    let world = World::new().with(simple("nap", "touch \"$HOME/notes/naps\"; sleep 600"));
    let daemon = world.daemon([""; 0]);
    let client = world.astros(["nap"]).spawn();
    eventually("it naps", || world.note("naps").exists().then_some(()));
    drop(daemon.stop());
    client.finish().exits(6).warns("AstrOS stops");
}

#[test]
fn ends_when_its_plugin_is_disabled_or_loses_a_permission() {
    let world = World::new().with(simple("nap", "touch \"$HOME/notes/naps\"; sleep 600"));
    let note = world.note("naps");
    let daemon = world.daemon([""; 0]);
    for (forbid, why) in
        [("disable", "it was disabled by command"), ("revoke", "its permissions were revoked")]
    {
        let client = world.astros(["nap"]).spawn();
        eventually("it naps", || note.exists().then_some(()));
        fs::remove_file(&note).unwrap();
        let listed = world.listed("nap");
        assert_eq!((&listed["state"], &listed["in_flight"]), (&json!("executing"), &json!(1)), "{listed}");
        world.astros(["plugins", forbid, "nap"]).run().succeeds();
        let naps = |pid: &u32| processes::describe(*pid).contains("sleep 600");
        assert!(!world.processes().iter().any(naps), "{forbid}");
        client.finish().exits(6).warns("`nap` was stopped before it had ended").warns(why);
        assert_eq!(world.listed("nap")["in_flight"], json!(0));
        world.astros(["plugins", "enable", "nap", "--yes"]).run().succeeds();
    }
    drop(daemon.stop());
}

#[test]
fn tells_a_crash_and_leaves_other_ends_to_the_program() {
    let run = r#"case $(printf '%s' "$line" | jq -r '.params.args.words[0]') in
        segv) kill -SEGV $$ ;;
        exit) echo "its last words" >&2; exit 9 ;;
    esac"#;
    let world = World::new().with(simple("end", run));
    let crashed = world.astros(["end", "segv"]).run().exits(139);
    crashed.warns("plugin `end` ended while it ran `end`: killed by SIGSEGV");
    world.astros(["end", "exit"]).run().exits(9).warns("its last words").warns("exited with status 9");
    world.astros(["end", "well"]).run().succeeds().prints_nothing();
}

#[test]
fn sees_the_folder_that_it_runs_in_and_what_is_named_and_no_more() {
    let run = r#"for file in $(printf '%s' "$line" | jq -r '.params.args.words[]'); do
        file=${file#--file=}; if [ -r "$file" ]; then cat "$file"; else echo "not $file"; fi; done
        pwd; echo made > made.txt; ls -A "$HOME/secret" "$HOME/.ssh" 2>&1 | head -1"#;
    let world = World::new().with(simple("look", run));
    world.file("home/.ssh/key", "key");
    world.file("home/secret/diary", "diary");
    let here = world.file("home/project/in.txt", "in\n").parent().unwrap().to_owned();
    let outside = world.file("elsewhere/out.txt", "out\n");
    let outside = outside.to_str().unwrap();
    let line = ["look", "in.txt", "--", outside, &format!("--file={outside}"), "../secret/nothing"];
    let seen = world.astros(line).within(&here).run().succeeds();
    let expected = format!("in\nout\nout\nnot ../secret/nothing\n{}\n", here.display());
    assert!(seen.stdout.starts_with(&expected), "{}", seen.stdout);
    seen.never_says("diary").never_says("key\n");
    assert_eq!(fs::read_to_string(here.join("made.txt")).unwrap(), "made\n");
    let secret = world.path("home/.ssh");
    let refused = world.astros(["look"]).within(&secret).run().exits(6).prints_nothing();
    refused.warns("`look` may not read").warns("astros plugins grant look 'file_system: read ~/.ssh'");
    let own = world.home().join("data");
    world.astros(["look"]).within(&own).run().exits(6).warns("AstrOS's own");
}

#[test]
fn makes_new_files_where_a_person_names_them() {
    let run = r#"printf '%s' "$line" | jq -r '.params.args | .out, .word, .words[] | strings' > "$HOME/notes/named"
        while read -r file; do [ -e "$file" ] && echo "$file is there"; case $file in
        *folder) mkdir -p "$file/in" && echo made > "$file/in/it" ;; *idle | *there) ;; *beside) echo made > "${file%/*}/other" ;;
        *) echo made > "$file.new" && mv "$file.new" "$file" ;; esac || code=4; done < "$HOME/notes/named""#;
    let option =
        |name: &str, kind: &str| json!({ "name": name, "type": kind, "flags": [format!("--{name}")] });
    let words = json!({ "name": "words", "repeated": true });
    let parameters = json!([option("out", "path"), option("word", "string"), words]);
    let world = World::new().with(tool("make", json!([{ "name": "make", "parameters": parameters }]), run));
    let (home, here) = (world.path("home"), world.path("home/project"));
    world.file("home/project/in.txt", "");
    world.file("tmp/there", "there");
    let temporary = tempfile::tempdir_in("/tmp").unwrap();
    let (tmp, out) = (world.path("tmp"), temporary.path());
    let at = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
    let leaves = |folder: &Path, names: &[&str]| {
        let there: BTreeSet<_> = fs::read_dir(folder).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(there, names.iter().map(OsString::from).collect(), "{folder:?}");
    };
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let line = ["make", "--out", &at(out, "out"), "--word=../../tmp/word", &at(&tmp, "folder"), "../new"];
        world.astros(line).within(&here).run().succeeds().prints_nothing();
        world
            .astros(["make", "--out", "plain", "--word=report.md"])
            .within(&home)
            .run()
            .succeeds()
            .prints_nothing();
        let line = ["make", "--out", &at(out, "no/idle"), &at(&tmp, "idle"), "../../tmp/there"];
        world.astros(line).within(&here).run().succeeds().says("../../tmp/there is there");
        for made in
            [at(out, "out"), at(&tmp, "word"), at(&home, "new"), at(&home, "plain"), at(&home, "report.md")]
        {
            assert_eq!(fs::read_to_string(&made).unwrap(), "made\n", "{made:?}");
            fs::remove_file(&made).unwrap();
        }
        leaves(out, &[]);
        leaves(&tmp, &["folder", "there"]);
        leaves(&tmp.join("folder"), &["in"]);
        fs::remove_dir_all(tmp.join("folder")).unwrap();
        // Whoever is in `/tmp` itself works beside all that others have there.
        world.astros(["make", &at(out, "slash")]).within(Path::new("/tmp")).run().succeeds();
        fs::remove_file(out.join("slash")).unwrap();
        let lost = world.astros(["make", &at(&tmp, "beside")]).within(&here).run().exits(1);
        lost.warns("/tmp/other` is not made: only what is named is");
        drop(daemon.map(|daemon| daemon.stop()));
    }
    let refused = world.astros(["make", "--out", "../.profile"]).within(&here).run().exits(6);
    refused.warns("astros plugins grant make 'file_system: write ~/.profile'");
    let refused = world.astros(["make", "--out=/dev/shm/none"]).within(&here).run().exits(6);
    refused.warns("no grant allows that; name another path");
    leaves(&home, &["astros", "notes", "project"]);
}

#[test]
fn a_default_of_its_own_gives_it_no_file() {
    let run =
        r#"file=$(printf '%s' "$line" | jq -r .params.args.file); cat "$file"; echo changed >> "$file""#;
    let world = World::new();
    let diary = world.file("home/secret/diary", "dear\n");
    let here = world.file("home/project/in.txt", "").parent().unwrap().to_owned();
    for kind in ["path", "string"] {
        let file =
            json!({ "name": "file", "type": kind, "flags": ["--file"], "hidden": true, "default": diary });
        tool(kind, json!([{ "name": kind, "parameters": [file] }]), run).write(&world.path("plugins"));
        world.astros([kind]).within(&here).run().never_says("dear");
        assert_eq!(fs::read_to_string(&diary).unwrap(), "dear\n", "{kind}");
        world.astros([kind, "--file", diary.to_str().unwrap()]).within(&here).run().says("dear");
        assert_eq!(fs::read_to_string(&diary).unwrap(), "dear\nchanged\n", "{kind}");
        fs::write(&diary, "dear\n").unwrap();
    }
}

#[test]
fn uses_the_host_as_a_root_of_calls_in_the_persons_name() {
    let run = r#"ask() { printf '{"jsonrpc": "2.0", "id": "own-%s", "method": "%s", "params": %s}\n' "$1" "$2" "$3" >&6; IFS= read -r answer <&5; }
        ask 1 storage/set '{"key": "k", "value": 7}'; ask 2 storage/get '{"key": "k"}'
        printf '%s' "$answer" | jq -c .result.value
        ask 3 call_plugin '{"plugin": "villain", "handler": "echo", "params": {"a": 1}}'
        printf '%s' "$answer" | jq -c '.result.data.meta | [.user_id, .chain]'
        ask 4 user/ask '{"question": "really?"}'
        printf '%s' "$answer" | jq -c .result.declined
        ask 5 ai/complete '{"prompt": "x"}'
        printf '%s' "$answer" | jq -c .error.data.kind"#;
    let world = World::new().with(simple("caller", run)).with(adversary("villain"));
    let called = world.astros(["caller"]).run().succeeds();
    assert_eq!(called.stdout, "7\n[\"ada\",[\"caller.caller\"]]\ntrue\n\"permission_denied\"\n");
}

#[test]
fn leaves_the_shared_process_alone_and_runs_many_at_once() {
    let run = "touch \"$HOME/notes/$(printf '%s' \"$line\" | jq -r '.params.args.words[0]')\"; sleep 600";
    let world = World::new().with(simple("many", run));
    let daemon = world.daemon([""; 0]);
    let running: Vec<_> = (0..4).map(|number| world.astros(["many", &number.to_string()]).spawn()).collect();
    for number in 0..4 {
        eventually("all run", || world.note(&number.to_string()).exists().then_some(()));
    }
    let before = world.listed("many");
    assert_eq!(before["restarts"], Value::from(0));
    for one in running {
        one.signal(Signal::SIGTERM);
        one.finish().exits(143);
    }
    assert_eq!(world.listed("many")["pids"], before["pids"]);
    drop(daemon.stop());
}

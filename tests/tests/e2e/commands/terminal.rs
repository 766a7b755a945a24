//! On a terminal a command is as any program: prompts, colours, sizes, Ctrl-Z, questions of the host.

use std::fs;

use astros_tests::{World, eventually};
use nix::sys::signal::Signal;

use super::simple;

#[test]
fn prompts_draws_and_is_told_of_the_terminal() {
    let run = r#"printf '%s' "$line" | jq -c '.params.terminal' | tr -d '\n'; [ -t 0 ] && [ -t 1 ] && echo " all tty"
        echo "$TERM $COLORTERM ${ASTROS_HOME:-hidden}"; printf 'name? '; read name; printf '\033[1mhello %s\033[0m\n' "$name""#;
    let world = World::new().with(simple("greet", run));
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let mut greet = world.astros(["greet"]).env("COLORTERM", "truecolor").spawn_on_a_terminal();
        let told = greet.shows("all tty");
        assert!(told.contains("100") && told.contains("true"), "{told}");
        greet.shows("xterm truecolor hidden");
        greet.shows("name? ");
        greet.types("ada\n");
        greet.shows("\u{1b}[1mhello ada");
        assert_eq!(greet.finish(), Some(0));
        drop(daemon.map(|daemon| daemon.stop()));
    }
}

#[test]
fn is_told_when_the_window_changes() {
    let run = "trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.05; done";
    let world = World::new().with(simple("sized", run));
    let mut sized = world.astros(["sized"]).spawn_on_a_terminal();
    sized.shows("ready");
    sized.resize(42);
    sized.shows("25 42");
    assert_eq!(sized.finish(), Some(4));
}

#[test]
fn puts_the_terminal_back_where_a_command_dies_in_raw_mode() {
    let world = World::new().with(simple("raw", "stty raw -echo; echo raw; read -r _; kill -KILL $$"));
    let mut raw = world.astros(["raw"]).spawn_on_a_terminal();
    raw.shows("raw");
    assert!(!raw.is_cooked());
    raw.types("\n");
    raw.shows("killed by SIGKILL");
    eventually("the terminal is as it was", || raw.is_cooked().then_some(()));
    assert_eq!(raw.finish(), Some(137));
}

#[test]
fn takes_back_what_a_command_that_dies_has_drawn_on() {
    let draws = r"printf '\033[?1049h\033[?25l\033[?1003h\033[?2004h\033[31mdrawn'; read -r _; kill -KILL $$";
    let world = World::new().with(simple("draws", draws)).with(simple("ends", "echo done; code=3"));
    let mut drawn = world.astros(["draws"]).spawn_on_a_terminal();
    drawn.shows("drawn");
    drawn.types("\n");
    let shown = drawn.shows("killed by SIGKILL");
    for taken_back in ["[?1049l", "[?25h", "[?1003l", "[?2004l", "[0m"] {
        assert!(shown.contains(taken_back), "{taken_back}: {shown:?}");
    }
    assert_eq!(drawn.finish(), Some(137));
    world.astros(["ends"]).run_on_a_terminal("").exits(3).says("done").never_says("\u{1b}");
}

#[test]
fn takes_nothing_for_an_answer_that_was_typed_before_the_question() {
    let run = r#"touch "$HOME/notes/asks"; read -r _ < "$HOME/notes/go"
        printf '{"jsonrpc": "2.0", "id": "own-1", "method": "user/ask", "params": {"question": "tea or milk?"}}\n' >&6
        IFS= read -r answer <&5; printf '%s' "$answer" | jq -r '.result.answer + " it is"'"#;
    let world = World::new().with(simple("waiter", run));
    let go = world.path("home/notes/go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut waiter = world.astros(["waiter"]).spawn_on_a_terminal();
    eventually("it is about to ask", || world.path("home/notes/asks").exists().then_some(()));
    waiter.types("early\n");
    waiter.shows("early");
    fs::write(go, "\n").unwrap();
    waiter.shows("tea or milk?");
    waiter.types("milk\r");
    waiter.shows("milk it is");
    assert_eq!(waiter.finish(), Some(0));
}

#[test]
fn halts_with_its_client_and_goes_on_with_it() {
    let run =
        "stty raw -echo; for i in 1 2 3 4 5 6 7 8 9; do echo \"tick $i \"; sleep 0.1; done; stty cooked echo";
    let world = World::new().with(simple("clock", run));
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let mut clock = world.astros(["clock"]).spawn_on_a_terminal();
        clock.shows("tick 2 ");
        clock.signal(Signal::SIGTSTP);
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", clock.pid())).unwrap_or_default();
            stat.rsplit_once(") ").map(|(_, rest)| rest[..1].to_owned())
        };
        eventually("the client halts", || (state()? == "T").then_some(()));
        clock.signal(Signal::SIGCONT);
        clock.shows("tick 9 ");
        assert_eq!(clock.finish(), Some(0));
        drop(daemon.map(|daemon| daemon.stop()));
    }
}

#[test]
fn in_the_background_it_writes_on_the_terminal_and_reads_nothing_of_it() {
    let run = r#"for stream in 0 1 2; do read -r key <&$stream && echo "took $key"; done 2> /dev/null
        read -r key < /proc/self/fd/1 && echo "took $key"; echo ready; read -r _ < "$HOME/notes/go"; echo ended"#;
    let world = World::new().with(simple("keys", run));
    let go = world.path("home/notes/go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for daemon in [None, Some(world.daemon([""; 0]))] {
        let line =
            format!("\"$@\" & read -r key; echo \"has $key\"; echo > '{}'; wait; echo over", go.display());
        let mut shell = world.astros(["keys"]).in_shell(&with_jobs(&line)).spawn_on_a_terminal();
        shell.types("secret\n");
        let shown = shell.shows("over");
        assert!(shown.contains("has secret") && shown.contains("ended"), "{shown}");
        assert!(!shown.contains("took"), "{shown}");
        assert_eq!(shell.finish(), Some(0));
        drop(daemon.map(|daemon| daemon.stop()));
    }
}

#[test]
fn stays_halted_in_the_background_and_goes_on_in_front_or_to_its_end() {
    let run = r#"trap 'exit 7' TERM; echo $$ > "$HOME/notes/pid"; echo ready; read -r key; echo "took $key""#;
    let world = World::new().with(simple("keys", run));
    let line = r#""$@"; bg %1; read -r key; echo "has $key"; fg %1; echo "first $?"
        "$@"; bg %1; read -r key; kill %1; kill -CONT %1; wait; echo over"#;
    let mut shell = world.astros(["keys"]).in_shell(&with_jobs(line)).spawn_on_a_terminal();
    shell.shows("ready");
    shell.types("\u{1a}");
    shell.shows("`fg` lets it go on");
    shell.types("secret\n");
    shell.shows("has secret");
    shell.types("open\n");
    shell.shows("took open");
    shell.shows("first 0");
    shell.shows("ready");
    shell.types("\u{1a}");
    shell.shows("`fg` lets it go on");
    shell.types("\n");
    shell.shows("over");
    assert_eq!(shell.finish(), Some(0));
}

/// A line of a shell that has the terminal for its own, and gives it to one job at a time.
fn with_jobs(line: &str) -> String {
    let line = line.replace('\'', r"'\''");
    format!("exec setsid --ctty --wait sh -mc '{line}' sh \"$@\"")
}

#[test]
fn what_it_sets_of_a_stream_is_gone_with_it() {
    let run =
        r#"python3 -c 'import os; os.set_blocking(0, False); os.set_blocking(1, False)'; kill -KILL $$"#;
    let world = World::new().with(simple("raw", run));
    let look = r#""$@"; python3 -c 'import os; print("blocks", os.get_blocking(0), os.get_blocking(1))'"#;
    let mut shell = world.astros(["raw"]).in_shell(look).spawn_on_a_terminal();
    shell.shows("killed by SIGKILL");
    shell.shows("blocks True True");
    assert_eq!(shell.finish(), Some(0));
}

#[test]
fn asks_the_person_at_the_clients_terminal() {
    let run = r#"printf '{"jsonrpc": "2.0", "id": "own-1", "method": "user/ask", "params": {"question": "tea or milk?", "choices": ["tea", "milk"]}}\n' >&6
        IFS= read -r answer <&5; printf '%s' "$answer" | jq -r '.result.answer + " it is"'"#;
    let world = World::new().with(simple("waiter", run));
    let mut waiter = world.astros(["waiter"]).spawn_on_a_terminal();
    waiter.shows("tea or milk?");
    waiter.types("milk\r");
    waiter.shows("milk it is");
    assert_eq!(waiter.finish(), Some(0));
}

#[test]
fn nobody_is_asked_for_permissions_at_a_terminal_that_a_plugin_could_cover() {
    let run = r#"printf '{"jsonrpc": "2.0", "id": "own-1", "method": "ai/complete", "params": {"prompt": "x"}}\n' >&6
        IFS= read -r answer <&5; printf '%s' "$answer" | jq -r .error.data.kind; code=3"#;
    let world = World::new().with(simple("cover", run));
    let mut cover = world.astros(["cover"]).spawn_on_a_terminal();
    let shown = cover.shows("`astros plugins grant cover 'ai'` allows it");
    assert!(shown.contains("permission_denied") && !shown.contains("Allow?"), "{shown}");
    assert_eq!(cover.finish(), Some(3));
}

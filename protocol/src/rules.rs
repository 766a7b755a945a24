//! The rules: what a plugin must keep, and what it may rely on of a host. The reference and the harness are made from them.
//!
//! A rule's id is for good: a rule that is given up leaves its number, a new one takes the next.

use Group::{Core, Robustness, Services, Streams};

/// What a rule is about, and so what it counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Every plugin keeps it; a loop of "read a line, answer a line" can.
    Core,
    /// What holds when things go wrong or get many.
    Robustness,
    /// What holds for the requests of the plugin's own; only of who makes some.
    Services,
    /// What holds for `$/progress`; only of who sends some.
    Streams,
}

impl Group {
    /// In the order of reports.
    pub const ALL: [Group; 4] = [Core, Robustness, Services, Streams];

    /// As it is written in reports.
    pub fn name(self) -> &'static str {
        match self {
            Core => "core",
            Robustness => "robustness",
            Services => "services",
            Streams => "streams",
        }
    }
}

/// One duty of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `R07` is a plugin's duty, `H07` a host's.
    pub id: &'static str,
    pub group: Group,
    /// What who keeps it does, to be read after "a plugin" or "a host".
    pub title: &'static str,
    /// The duty in full, a sentence or more.
    pub text: &'static str,
    /// The methods that it concerns; none where it holds for every message.
    pub methods: &'static [&'static str],
}

/// The rule of this id, of either side.
pub fn find(id: &str) -> Option<&'static Rule> {
    PLUGIN.iter().chain(HOST).find(|rule| rule.id == id)
}

const fn rule(
    id: &'static str,
    group: Group,
    title: &'static str,
    text: &'static str,
    methods: &'static [&'static str],
) -> Rule {
    Rule { id, group, title, text, methods }
}

/// What a plugin must keep.
#[rustfmt::skip]
pub const PLUGIN: &[Rule] = &[
    rule("R01", Core, "answers `initialize`",
        "The result has the version to speak and the plugin's name and version, and fits its schema.", &["initialize"]),
    rule("R02", Core, "writes messages only",
        "Every line on standard output is one whole JSON-RPC 2.0 message in UTF-8, ended by a line feed; what else there is to say goes to standard error.", &[]),
    rule("R03", Core, "begins a message with `jsonrpc`",
        "`\"jsonrpc\"` is among the first 64 bytes of a line: that is how a message is told from stray output.", &[]),
    rule("R04", Core, "echoes ids as they came",
        "A response has the id of its request, of the same type: a string with any characters, or a whole number within ±(2⁵³−1).", &[]),
    rule("R05", Core, "answers every request once",
        "Neither twice nor never, and never a request that was not sent.", &[]),
    rule("R06", Core, "sends a result or an error",
        "A response has `result` or `error`, not both; an error has a whole number as `code` and a string as `message`.", &[]),
    rule("R07", Core, "answers a cancelled request",
        "A request that `$/cancel` takes back is answered once all the same, with its result or with -32005.", &["$/cancel", "handle_intent"]),
    rule("R08", Core, "refuses a method that it does not know",
        "With -32601; and it goes on.", &[]),
    rule("R09", Core, "passes over a notification that it does not know",
        "Nothing is answered to what has no id; and it goes on.", &[]),
    rule("R10", Core, "passes over members that it does not know",
        "In the envelope, in params, at any depth; values of enumerations that it does not know as well.", &[]),
    rule("R11", Core, "reads JSON as it may be written",
        "White space, members in any order, escapes, characters beyond the basic plane.", &[]),
    rule("R12", Core, "reads lines however they come",
        "Several in one piece, or one in many pieces, cut anywhere; each is answered.", &[]),
    rule("R13", Core, "passes over empty lines",
        "And takes `\\r\\n` for an end of line.", &[]),
    rule("R14", Core, "speaks the lower version of a common MAJOR",
        "Of what the host lists, `protocol_version` has a MAJOR that both speak, and a MINOR that is not above either's.", &["initialize"]),
    rule("R15", Core, "refuses versions that it does not speak",
        "Where no MAJOR is in common, `initialize` is answered with -32010.", &["initialize"]),
    rule("R16", Core, "says nothing before `initialize`",
        "The first message is the host's.", &["initialize"]),
    rule("R17", Core, "describes itself in full",
        "The description fits its schema; names of handlers are unique and not reserved, schemas of parameters and settings are JSON Schemas.", &["initialize", "describe"]),
    rule("R18", Core, "does what it describes",
        "A handler that is described is known: it answers with a Response or with an error of its own, not with -32601 or -32013.", &["handle_intent"]),
    rule("R19", Core, "answers an intent with a Response",
        "An object that fits the schema of `Response`; not being able to is `success: false`.", &["handle_intent"]),
    rule("R20", Core, "refuses a handler that it does not have",
        "With -32013; and it goes on.", &["handle_intent"]),
    rule("R21", Core, "answers `ping`",
        "With an object, or with -32601 where it does not know the method.", &["ping"]),
    rule("R22", Core, "answers `shutdown`",
        "With null, after its own clean-up, within `grace_ms`.", &["shutdown"]),
    rule("R23", Core, "ends when it was shut down",
        "With status 0, within a second after its input was closed.", &["shutdown"]),
    rule("R24", Core, "ends when its input ends",
        "The host is gone: it ends by itself within 5 s, also without `shutdown`.", &[]),
    rule("R25", Core, "passes over a cancellation of nothing",
        "`$/cancel` of an id that is unknown, or was answered, is not answered and harms nothing.", &["$/cancel"]),
    rule("R26", Core, "says the same before it is started",
        "`describe`, where it is known, is answered before `initialize`, and tells the name and the handlers that `initialize` tells.", &["describe", "initialize"]),
    rule("R27", Robustness, "survives a line that is no JSON",
        "Answers -32700 with id null, or nothing; and it goes on.", &[]),
    rule("R28", Robustness, "survives a batch",
        "An array is answered with -32600 and id null, or with nothing; and it goes on.", &[]),
    rule("R29", Robustness, "survives a message that is none",
        "An object without `method`, with an id of a wrong type, or with params that are no object: an error or nothing; and it goes on.", &[]),
    rule("R30", Robustness, "refuses params that do not fit",
        "A request whose params lack what they need, or have it of a wrong type, is answered with an error; and it goes on.", &["handle_intent"]),
    rule("R31", Robustness, "survives a line beyond its limit",
        "A line longer than the `max_frame_bytes` that it announced (16 MiB where it announced none) is thrown away while it is read; and it goes on.", &[]),
    rule("R32", Robustness, "takes a large message",
        "One of 4 MiB, or of its limit where that is lower, is answered.", &[]),
    rule("R33", Robustness, "survives a message that nests deep",
        "1,000 levels are answered, with a result or an error, or passed over; and it goes on.", &[]),
    rule("R34", Robustness, "takes many requests at once",
        "As many as `max_in_flight` says (64 where it says nothing), written at once, are answered, each with its id; by a serial plugin, too, that finds them in its input.", &["handle_intent", "ping"]),
    rule("R35", Robustness, "does not wait for its reader",
        "Requests are read and answered also while nobody reads the answers for a while, and none is lost; a serial plugin may let them wait in its input.", &[]),
    rule("R36", Robustness, "ends when its input ends in the midst of work",
        "With requests unanswered, or half a line read: within 5 s.", &[]),
    rule("R37", Robustness, "answers what is open when it is shut down",
        "Requests that are open at `shutdown` are answered: with their result, -32005 or -32015; `shutdown` as well.", &["shutdown", "handle_intent"]),
    rule("R38", Robustness, "takes no new work when it was shut down",
        "A request that comes after `shutdown` is answered with -32015, or not at all, since the process ends.", &["shutdown", "handle_intent"]),
    rule("R39", Robustness, "leaves nobody behind",
        "When it has ended, so has every process that it started.", &["shutdown"]),
    rule("R40", Robustness, "sends no other codes than its own",
        "JSON-RPC's, -32005, -32009 to -32013, -32015 and -32016; the host makes -32012 of all others.", &[]),
    rule("R41", Robustness, "keeps within the host's limit",
        "No line is longer than the `max_frame_bytes` that the host announced; what would be is answered with an error.", &["initialize"]),
    rule("R42", Robustness, "passes over answers to nothing",
        "A response whose id it never sent harms nothing.", &[]),
    rule("R43", Robustness, "survives a second `initialize`",
        "It is answered, and what is served goes on.", &["initialize"]),
    rule("R44", Robustness, "answers changed settings",
        "With null, -32011 with the reasons, or -32601 where it does not know the method; and it goes on.", &["settings/changed"]),
    rule("R45", Robustness, "refuses settings that do not fit its schema",
        "`settings/changed` with such is answered with -32011 or -32601, and the old ones hold; only of who describes its settings.", &["settings/changed"]),
    rule("R46", Robustness, "answers a delivery",
        "`bus/deliver` is answered with an object, or with -32601 where it is not known, also of a subject that it never subscribed to; and it goes on.", &["bus/deliver"]),
    rule("R47", Robustness, "answers a direct message",
        "`handle_intent` of `$message` is answered with a Response, with -32013, or with an error of its own.", &["handle_intent"]),
    rule("R48", Services, "makes well-formed requests",
        "Methods that the reference knows, or `x/…`; params that fit their schema.", &[]),
    rule("R49", Services, "never takes an id twice",
        "An id of its own is not used again on the connection.", &[]),
    rule("R50", Services, "asks at the start for what it may",
        "Before `initialize` is answered: storage, `log`, `ai/…` and subscriptions; no `call_plugin`, `bus/publish` or `user/ask`.", &["initialize", "call_plugin"]),
    rule("R51", Services, "survives a refusal",
        "An error as the answer to a request of its own ends in an answer to the request that it was serving, and it goes on.", &[]),
    rule("R52", Services, "reads while it waits",
        "While a handler waits for an answer of the host's, `ping` is answered; a plugin with `max_in_flight: 1` is free of this.", &["ping"]),
    rule("R53", Services, "ends a cancelled request soon",
        "A handler that waits for an answer of the host's, and is cancelled, is answered within 2 s, without that answer.", &["$/cancel"]),
    rule("R54", Services, "says whom it serves",
        "A request that is made in a handler names the request that is being served in `meta.parent`, where its params have `meta` and several are open.", &["call_plugin"]),
    rule("R55", Streams, "tells progress of open requests only",
        "`$/progress` names a request that the host sent and that is not answered, and has a value that fits its schema, of 64 KiB at most.", &["$/progress"]),
    rule("R56", Streams, "keeps to the window",
        "At most 32 messages of progress of a request are without `$/ack`.", &["$/progress", "$/ack"]),
    rule("R57", Streams, "goes on when the window opens",
        "After `$/ack` the rest comes, and the response last.", &["$/progress", "$/ack"]),
];

/// What a plugin may rely on.
#[rustfmt::skip]
pub const HOST: &[Rule] = &[
    rule("H01", Core, "begins with `initialize`",
        "It is the first request (`describe` may come before), comes once a process, and its params fit their schema.", &["initialize"]),
    rule("H02", Core, "writes messages only",
        "Every line is one whole JSON-RPC 2.0 message in UTF-8 with `jsonrpc`, `id` and `method` first, within the `max_frame_bytes` that the plugin announced.", &[]),
    rule("H03", Core, "never takes an id twice",
        "Ids are strings, or whole numbers within ±(2⁵³−1), and are not used again on the connection.", &[]),
    rule("H04", Core, "waits for `initialize`",
        "Nothing else is asked before it was answered.", &["initialize"]),
    rule("H05", Core, "gives folders of the plugin's own",
        "`directories` are there; `data` and `cache` can be written to.", &["initialize"]),
    rule("H06", Core, "gives no environment that is not its own",
        "`ASTROS_PROTOCOL` and an allow-list; nothing of the person's, no descriptor but the three.", &[]),
    rule("H07", Core, "says on whose behalf it asks",
        "`meta` has `correlation_id`, a `traceparent` of W3C, `deadline_ms`; a call of another plugin's has `caller` and `chain`.", &["handle_intent"]),
    rule("H08", Core, "keeps to `max_in_flight`",
        "At most so many requests that need a slot are open; one, of a serial plugin, which is not pinged while it works.", &["handle_intent", "ping"]),
    rule("H09", Core, "answers every request once",
        "With its id, of the same type, and a result or an error with code, message and `data.kind`.", &[]),
    rule("H10", Core, "refuses what it does not know",
        "An unknown method with -32601, bad params with -32602; an unknown notification is passed over.", &[]),
    rule("H11", Core, "answers what is taken back",
        "A request that the plugin cancels is answered once, with its result or -32005.", &["$/cancel"]),
    rule("H12", Core, "keeps what it is given",
        "Storage gives back the value that was set, also over a restart; versions never repeat; `if_version` holds.", &["storage/get", "storage/set", "storage/delete", "storage/list"]),
    rule("H13", Core, "passes calls on as they are",
        "`call_plugin` brings `params` as the intent's context and the Response of the other as it was, unknown members included.", &["call_plugin"]),
    rule("H14", Core, "fails calls with what went wrong",
        "-32001 for nobody, -32013 for no such handler, -32007 for a cycle, -32004 for time, -32003 for a crash.", &["call_plugin"]),
    rule("H15", Core, "delivers what was published",
        "To who subscribed, at most once, in order, with the sender that it knows itself.", &["bus/subscribe", "bus/publish", "bus/deliver", "bus/unsubscribe"]),
    rule("H16", Core, "shuts down in order",
        "`shutdown` comes after the drain; then only responses, `$/cancel` and `$/ack`; then the input is closed.", &["shutdown"]),
    rule("H17", Robustness, "survives stray output",
        "A line that is no message harms nobody.", &[]),
    rule("H18", Robustness, "survives messages that are none",
        "A malformed line fails the request whose id it tells, with -32018, and nothing else.", &[]),
    rule("H19", Robustness, "survives a line beyond its limit",
        "It is thrown away while it is read; the request that it answers fails with -32009.", &[]),
    rule("H20", Robustness, "tolerates what it does not know",
        "Unknown members, notifications and values of enumerations in what a plugin sends.", &[]),
    rule("H21", Robustness, "reads while it writes",
        "A plugin that asks much and reads late is read all the same.", &[]),
    rule("H22", Robustness, "keeps deadlines",
        "Of a call: the least of the parent's rest, its own, the handler's; then its caller has -32004, and the plugin `$/cancel`.", &["call_plugin", "$/cancel"]),
    rule("H23", Robustness, "ends the calls of who has answered",
        "When a request is answered, the calls that were made for it and are open are cancelled.", &["call_plugin"]),
    rule("H24", Robustness, "lets no plugin speak for another",
        "User, session, caller, chain and sender are the host's to set, whatever a plugin writes there.", &["call_plugin", "bus/publish"]),
    rule("H25", Robustness, "translates codes that are not the plugin's",
        "An error with a code that a plugin may not send reaches its caller as -32012.", &[]),
    rule("H26", Robustness, "asks again what was not begun",
        "A request that was answered with -32015, or never written, goes to the next process.", &["handle_intent"]),
    rule("H27", Robustness, "repeats only what may be",
        "After a crash a request is sent again only where its handler is idempotent; `attempt` says so.", &["handle_intent"]),
    rule("H28", Streams, "acknowledges progress",
        "Where somebody listens when it was taken, where nobody does at once; it comes to the caller in order.", &["$/progress", "$/ack"]),
    rule("H29", Streams, "fails who floods it",
        "More than 32 messages without `$/ack` fail the request with -32018, and cancel it.", &["$/progress"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    #[test]
    fn gives_each_rule_an_id_of_its_own_that_tells_the_side() {
        for (side, rules) in [('R', PLUGIN), ('H', HOST)] {
            assert!(rules.iter().all(|rule| rule.id.starts_with(side) && rule.id.len() == 3));
            assert!(rules.is_sorted_by_key(|rule| (rule.group, rule.id)));
            assert!(rules.windows(2).all(|pair| pair[0].id != pair[1].id));
        }
    }

    #[test]
    fn names_methods_that_exist() {
        let known: Vec<_> = catalog::methods().iter().map(|method| method.name).collect();
        for rule in PLUGIN.iter().chain(HOST) {
            rule.methods.iter().for_each(|method| assert!(known.contains(method), "{} {method}", rule.id));
        }
    }
}

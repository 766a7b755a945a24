//! Which permission includes which.

use std::path::Path;

use proptest::prelude::*;

use super::super::{BusKind, DBus, FilePaths, Permission};

fn permission(line: &str) -> Permission {
    line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn assert_covers(granted: &str, covered: &[&str], beyond: &[&str]) {
    let granted = permission(granted);
    for wanted in covered {
        assert!(granted.covers(&permission(wanted)), "{granted} does not cover {wanted}");
    }
    for wanted in beyond {
        assert!(!granted.covers(&permission(wanted)), "{granted} covers {wanted}");
    }
}

#[test]
fn a_path_covers_what_lies_below_it() {
    assert_covers(
        "file_system: write ~/Pictures",
        &["file_system: read ~/Pictures", "file_system: write ~/Pictures/2026/a.jpg"],
        &[
            "file_system: read ~",
            "file_system: read ~/PicturesOfOthers",
            "file_system: read /Pictures",
            "file_system",
        ],
    );
    assert_covers(
        "file_system: read /srv/data",
        &["file_system: read /srv/data/x", "file_system: read /srv//./data/"],
        &["file_system: write /srv/data", "file_system: read /srv"],
    );
    assert_covers(
        "file_system: write /",
        &["file_system", "file_system: write ~/.ssh", "file_system: read /etc"],
        &[],
    );
    assert_covers(
        "file_system: read /",
        &["file_system: read ~/.ssh"],
        &["file_system", "file_system: write ~/x"],
    );
    assert_covers(
        "file_system: write ~",
        &["file_system", "file_system: write ~/.ssh"],
        &["file_system: read /~"],
    );
}

#[test]
fn the_plain_file_system_is_the_home_without_hidden_folders() {
    assert_covers(
        "file_system",
        &["file_system", "file_system: write ~/Pictures", "file_system: read ~/src/.git"],
        &[
            "file_system: read ~",
            "file_system: read ~/.ssh",
            "file_system: write ~/.config/x",
            "file_system: read /srv",
        ],
    );
    let absolute = permission("file_system: read /home/ada/Pictures");
    assert!(permission("file_system").covers(&absolute.at_home(Path::new("/home/ada"))));
    assert!(!permission("file_system").covers(&absolute.at_home(Path::new("/home/ad"))));
}

#[test]
fn a_host_covers_its_ports_and_a_wildcard_what_is_below_it() {
    assert_covers(
        "network: Example.ORG",
        &["network: example.org", "network: EXAMPLE.org.:443"],
        &["network: a.example.org", "network", "network: *.example.org", "network: example.org.evil.net"],
    );
    assert_covers(
        "network: example.org:443",
        &["network: example.org:443"],
        &["network: example.org", "network: example.org:80"],
    );
    assert_covers(
        "network: *.example.org",
        &[
            "network: a.example.org",
            "network: a.b.example.org:1",
            "network: *.a.example.org",
            "network: *.example.org:2",
        ],
        &["network: example.org", "network: badexample.org", "network: *.org"],
    );
    assert_covers(
        "network: [::1]",
        &["network: 0:0::1", "network: [::1]:80"],
        &["network: [::2]", "network: localhost"],
    );
    assert_covers("network", &["network: 127.0.0.1:80", "network: *.example.org"], &["ai"]);
}

#[test]
fn a_wildcard_covers_handlers_subjects_and_services() {
    assert_covers(
        "call_plugin: web.*",
        &["call_plugin: web.get", "call_plugin: web.*"],
        &["call_plugin", "call_plugin: webs.get"],
    );
    assert_covers("call_plugin: web.get", &[], &["call_plugin: web.*", "call_plugin: web.get_all"]);
    assert_covers("bus: a.*", &["bus: a.b", "bus: a.*"], &["bus: a.>", "bus: a.b.c", "bus: a", "bus: >"]);
    assert_covers("bus: a.>", &["bus: a.b.c", "bus: a.*", "bus: a.b.>"], &["bus: a", "bus: >", "bus: *.b"]);
    assert_covers("bus: >", &["bus: *.>", "bus: a"], &["bus"]);
    assert_covers(
        "system_control: session org.a.*",
        &["system_control: session org.a", "system_control: session org.a.b.c"],
        &["system_control: system org.a", "system_control: session org.ab", "system_control"],
    );
}

#[test]
fn every_item_that_is_wanted_has_to_be_covered() {
    let wanted = Permission::Network(Some(vec!["a.org".to_owned(), "b.org".to_owned()]));
    let granted = ["network: a.org", "network: b.org"].map(permission);
    assert!(wanted.is_covered(&granted) && !wanted.is_covered(&granted[..1]));
    assert!(!granted[0].covers(&wanted) && wanted.covers(&granted[0]));
}

fn scope(words: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let items = proptest::collection::vec(proptest::sample::select(words).prop_map(str::to_owned), 0..3);
    proptest::option::of(items)
}

/// Few words, so that many of them are related.
fn any_permission() -> impl Strategy<Value = Permission> {
    const PATHS: &[&str] =
        &["/", "~", "~/a", "~/a/b", "~/.c", "~/.c/d", "/a", "/a/b", "/~", "~/a/../.c", "a"];
    const HOSTS: &[&str] =
        &["a.b", "*.b", "*.a.b", "c.a.b:1", "a.b:1", "*.b:1", "1.2.3.4", "[::1]", "::1", "A.B", "*", ""];
    const HANDLERS: &[&str] = &["p.h", "p.*", "q.h", "p.h.*", "p"];
    const SUBJECTS: &[&str] = &[">", "*", "a", "a.*", "a.>", "*.b", "a.b", "*.>", "a.*.c", "a.b.>", "*.*"];
    const NAMES: &[&str] = &["o.a", "o.*", "o.a.*", "o.a.b", "o"];
    let names = |words| scope(words).prop_map(|list| list.unwrap_or_default());
    prop_oneof![
        Just(Permission::Ai),
        Just(Permission::FileSystem(None)),
        (names(PATHS), names(PATHS))
            .prop_map(|(read, write)| Permission::FileSystem(Some(FilePaths { read, write }))),
        scope(HOSTS).prop_map(Permission::Network),
        scope(HANDLERS).prop_map(Permission::CallPlugin),
        scope(SUBJECTS).prop_map(Permission::Bus),
        Just(Permission::SystemControl(None)),
        (any::<bool>(), names(NAMES)).prop_map(|(session, names)| {
            let bus = if session { BusKind::Session } else { BusKind::System };
            Permission::SystemControl(Some(DBus { bus, names }))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_permission_covers_itself(one in any_permission()) {
        prop_assert!(one.covers(&one));
        prop_assert!(one.is_covered(&one.atoms()));
    }

    #[test]
    fn what_is_covered_by_what_is_covered_is_covered(a in any_permission(), b in any_permission(), c in any_permission()) {
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c), "{a} > {b} > {c}");
    }

    #[test]
    fn what_is_displayed_can_be_read(line in "[a-z_]{2,14}(:[ ]?[ -~]{0,24})?", one in any_permission()) {
        if let Ok(read) = line.parse::<Permission>() {
            prop_assert_eq!(read.to_string().parse::<Permission>(), Ok(read));
        }
        for atom in one.atoms() {
            if let Ok(read) = atom.to_string().parse::<Permission>() {
                prop_assert_eq!(read.to_string().parse::<Permission>(), Ok(read.clone()));
                prop_assert!(read.covers(&read));
            }
        }
    }
}

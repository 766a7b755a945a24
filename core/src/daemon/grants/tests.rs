//! Who gets what: by where a plugin comes from, by what a person said, by what the operator wrote.

use super::*;

fn permissions(lines: &[&str]) -> Vec<Permission> {
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// `+` grants, `-` revokes; in this order.
fn decide(declared: &[&str], origin: Origin, decisions: &[&str], operator: Option<&[&str]>) -> Grants {
    let decisions: Vec<Decision> = decisions
        .iter()
        .map(|line| Decision {
            permission: line[1..].parse().unwrap(),
            granted: line.starts_with('+'),
            since: 0,
        })
        .collect();
    let operator = operator.map(permissions);
    Said {
        declared: &permissions(declared),
        origin,
        decisions: &decisions,
        operator: operator.as_deref(),
        home: Some(Path::new("/home/ada")),
    }
    .decide()
}

fn assert_decided(grants: &Grants, granted: &[&str], missing: &[&str], withheld: &[&str]) {
    let lines = |list: &[Permission]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(lines(&grants.granted), granted, "granted");
    assert_eq!(lines(&grants.missing), missing, "missing");
    assert_eq!(lines(&grants.withheld), withheld, "withheld");
}

#[test]
fn gives_to_the_operators_and_the_bundled_what_they_declare() {
    for origin in [Origin::Operator, Origin::Bundled] {
        let grants = decide(&["network: a.org", "storage"], origin, &[], None);
        assert_decided(&grants, &["network: a.org", "storage"], &[], &[]);
        let grants = decide(&["network: a.org", "storage"], origin, &["-network"], None);
        assert_decided(&grants, &["storage"], &[], &["network: a.org"]);
    }
}

#[test]
fn keeps_the_persons_own_waiting_for_what_nobody_granted() {
    let declared = ["network: a.org", "network", "storage"];
    let grants = decide(&declared[..1], Origin::User, &[], None);
    assert_decided(&grants, &[], &["network: a.org"], &[]);
    let grants = decide(&declared, Origin::User, &["+network: a.org", "-storage"], None);
    assert_decided(&grants, &["network: a.org"], &["network"], &["storage"]);
    let expected = Admission::Blocked {
        reason: "needs the permission `network`".to_owned(),
        hint: "`astros plugins enable weather` shows and grants it".to_owned(),
    };
    assert_eq!(grants.refusal("weather"), Some(expected));
    let grants = decide(&declared, Origin::User, &["+network", "+storage"], None);
    assert_decided(&grants, &["network: a.org", "network", "storage"], &[], &[]);
    assert_eq!(grants.refusal("weather"), None);
    assert_eq!(decide(&["storage"], Origin::User, &[], None).refusal("weather"), None);
}

#[test]
fn lets_the_newest_word_hold() {
    let grants = decide(&["network"], Origin::Bundled, &["-network", "+network: a.org"], None);
    assert_decided(&grants, &["network: a.org"], &[], &["network"]);
    let grants = decide(&["network"], Origin::Bundled, &["+network: a.org", "-network"], None);
    assert_decided(&grants, &[], &[], &["network"]);
    let grants = decide(&[], Origin::User, &["+file_system: read /srv"], None);
    assert_decided(&grants, &["file_system: read /srv"], &[], &[]);
}

#[test]
fn takes_the_operators_list_for_exactly_what_a_plugin_may() {
    let declared = ["network: a.org", "file_system: read ~/x"];
    let operator = ["file_system", "ai"];
    let grants = decide(&declared, Origin::User, &["+network: a.org"], Some(&operator));
    assert_decided(&grants, &["file_system", "ai"], &[], &["network: a.org"]);
    assert_decided(
        &decide(&declared, Origin::Bundled, &[], Some(&[])),
        &[],
        &[],
        &["network: a.org", "file_system: read ~/x"],
    );
}

#[test]
fn compares_paths_in_the_home_however_they_are_written() {
    let grants = decide(&["file_system: read /home/ada/x"], Origin::User, &["+file_system: write ~"], None);
    assert_decided(&grants, &["file_system: read ~/x", "file_system: write ~"], &[], &[]);
}

#[test]
fn never_grants_the_whole_of_dbus() {
    for origin in [Origin::Operator, Origin::User] {
        let grants = decide(&["system_control"], origin, &[], None);
        assert_decided(&grants, &[], &[], &["system_control"]);
    }
}

#[test]
fn says_what_cannot_be_revoked() {
    let grants = decide(&["network", "ai"], Origin::Bundled, &["-ai"], None);
    let check = |line: &str| grants.check_revocable("weather", &line.parse().unwrap());
    assert_eq!((check("network"), check("ai")), (Ok(()), Ok(())));
    assert!(check("network: a.org").unwrap_err().contains("has `network`, and `network: a.org` is a part"));
    assert!(check("bus").unwrap_err().contains("does not have the permission `bus`"));
    assert!(check("storage").unwrap_err().contains("every plugin may keep data of its own"));
}

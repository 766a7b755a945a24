//! Links in plugins' folders, and to them.

use super::*;

#[test]
fn reads_nothing_of_the_person_by_a_link_in_a_plugins_folder() {
    let mut ground = Ground::new();
    ground.write("home/secrets.yaml", "{\"token\": \"hunter2\"}");
    for (name, file) in [
        ("manifest", "plugin.yaml"),
        ("defaults", "config/defaults.yaml"),
        ("folder", "config"),
        ("schema", "config_schema.json"),
        ("named", "own.json"),
    ] {
        let schema_file = if name == "named" { "configuration: {schema_file: own.json}" } else { "" };
        ground.plugin(&format!("user/{name}"), name);
        ground
            .write(&format!("user/{name}/plugin.yaml"), format!("metadata: {{name: {name}}}\n{schema_file}"));
        let link = ground.path(&format!("user/{name}/{file}"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&link);
        let up = "../".repeat(Path::new(file).components().count() + 1);
        let target = if name == "folder" { "home" } else { "home/secrets.yaml" };
        symlink(format!("{up}{target}"), link).unwrap();
        ground.file.insert(name.to_owned(), true);
    }
    ground.write("home/defaults.yaml", "token: hunter2");
    let registry = ground.discover();
    assert_eq!(registry.entries.len(), 5);
    for (name, entry) in &registry.entries {
        let reason = blocked(&registry, name);
        assert!(reason.contains("leads out of the folder"), "{reason}");
        assert!(!format!("{entry:?}").contains("hunter2"));
    }
}

#[test]
fn follows_a_link_to_a_plugins_folder_and_those_inside_of_it() {
    let ground = Ground::new();
    ground.plugin("src/real", "linked").write("src/real/shared.yaml", "depth: 2");
    fs::create_dir_all(ground.path("src/real/config")).unwrap();
    symlink("../shared.yaml", ground.path("src/real/config/defaults.yaml")).unwrap();
    fs::create_dir(ground.path("bundled")).unwrap();
    symlink(ground.path("src/real"), ground.path("bundled/linked")).unwrap();
    let registry = ground.discover();
    assert_eq!(registry.entries["linked"].status, Status::Ok);
    assert_eq!(registry.entries["linked"].defaults["depth"], 2);
}

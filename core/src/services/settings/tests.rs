//! Puts settings together from all their sources, fitting and not.

use serde_json::json;

use super::*;

/// What a test changes of an ordinary plugin `weather`.
struct Case {
    defaults: Value,
    schema: Option<Value>,
    configuration: Configuration,
    own: Value,
    configured: Value,
    commands: Value,
    secrets: Value,
    environment: Vec<(&'static str, &'static str)>,
    requires_config: bool,
}

fn case() -> Case {
    Case {
        defaults: json!({}),
        schema: None,
        configuration: Configuration::default(),
        own: json!({}),
        configured: json!({}),
        commands: json!({}),
        secrets: json!({}),
        environment: Vec::new(),
        requires_config: false,
    }
}

fn run(case: Case) -> Result<Value, SettingsError> {
    let configuration =
        Configuration { settings: case.defaults.as_object().unwrap().clone(), ..case.configuration };
    let in_file = |settings: &Value| {
        let lines = settings.as_object().unwrap().iter().zip(5..);
        lines.map(|((name, value), line)| (name.clone(), Setting { value: value.clone(), line })).collect()
    };
    let (own, configured) = (in_file(&case.own), in_file(&case.configured));
    let commands = case.commands.as_object().unwrap().clone().into_iter().collect();
    let variables = case.environment.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    let environment =
        overrides(["weather"], &Claims::new(), variables).of.remove("weather").unwrap_or_default();
    let secret = |(name, value): (&String, &Value)| {
        (name.clone(), Secret { value: value.clone(), place: "/h/secrets.yaml".to_owned() })
    };
    let secrets = case.secrets.as_object().unwrap().iter().map(secret).collect();
    resolve(&Sources {
        plugin: "weather",
        configuration: &configuration,
        schema: case.schema.as_ref().map(|schema| (schema, "config/schema.json")),
        defaults: &Map::new(),
        requires_config: case.requires_config,
        own_file: (Path::new("/h/plugins/weather/weather.yaml"), &own),
        configured: &configured,
        file: Path::new("/h/astros.yaml"),
        commands: &commands,
        secrets: &secrets,
        environment: &environment,
    })
    .map(|settled| Value::Object(settled.settings))
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| name.to_string()).collect()
}

#[test]
fn lets_the_later_source_win() {
    let settings = run(Case {
        schema: Some(json!({"properties": {"a": {"default": 1}, "b": {"default": 1}, "c": {"default": 1}}})),
        defaults: json!({"b": 2, "c": 2, "d": 2, "size": "100MB"}),
        own: json!({"c": 2.5, "own": true}),
        configured: json!({"c": 3, "d": 3, "e": 3, "extra": {"x": null}}),
        commands: json!({"d": 3.5, "e": 3.5}),
        environment: vec![("LOCALAGENT_WEATHER_D", "9"), ("ASTROS_WEATHER_D", "4")],
        ..case()
    });
    let all = json!({
        "a": 1, "b": 2, "c": 3, "d": 4, "size": "100MB", "own": true, "e": 3.5, "extra": {"x": null},
    });
    assert_eq!(settings.unwrap(), all);
}

#[test]
fn takes_secrets_before_the_open_file_and_after_the_environment() {
    let schema = json!({
        "$defs": { "key": { "type": "string", "writeOnly": true } },
        "properties": {
            "key": { "$ref": "#/$defs/key" }, "pin": { "type": "integer", "writeOnly": true },
            "more": { "allOf": [{ "writeOnly": true }] }, "loop": { "$ref": "#/properties/loop" },
            "city": { "type": "string" },
        },
    });
    assert_eq!(secret_names(Some(&schema)), ["key", "pin", "more"]);
    let case = || Case { schema: Some(schema.clone()), ..case() };
    let settings = run(Case {
        configured: json!({ "key": "open", "more": "open", "city": "Oslo" }),
        secrets: json!({ "key": "hidden", "pin": "12", "more": "hidden" }),
        environment: vec![("ASTROS_WEATHER_MORE", "env")],
        ..case()
    });
    assert_eq!(settings.unwrap(), json!({ "key": "hidden", "more": "env", "city": "Oslo", "pin": 12 }));
    // What does not fit is not shown, wherever it comes from.
    let secrets = json!({ "pin": "s3cret", "key": ["s3cret"] });
    for wrong in [
        Case { secrets, ..case() },
        Case { configured: json!({ "pin": "s3cret" }), ..case() },
        Case { environment: vec![("ASTROS_WEATHER_PIN", "s3cret")], ..case() },
    ] {
        let error = run(wrong).unwrap_err();
        let said = format!("{error} {error:?} {}", Error::from(error.clone()));
        assert!(said.contains("/pin") && !said.contains("s3cret"), "{said}");
    }
    let overrides = overrides(
        ["weather"],
        &Claims::new(),
        [("ASTROS_WEATHER_PIN".into(), "1".into()), ("LOCALAGENT_WEATHER_CITY".into(), "1".into())],
    )
    .of;
    assert_eq!(secret_variables(&overrides["weather"], &secret_names(Some(&schema))), ["ASTROS_WEATHER_PIN"]);
}

#[test]
fn takes_for_a_secret_whole_what_has_one_anywhere_within() {
    let marked = json!({ "type": "string", "writeOnly": true });
    let schema = json!({
        "$defs": {
            "login": { "properties": { "token": marked } },
            "tree": { "properties": { "next": { "$ref": "#/$defs/tree" } } },
            "named": { "$anchor": "named", "writeOnly": true },
        },
        "properties": {
            "object": { "type": "object", "properties": { "token": marked } },
            "list": { "items": { "anyOf": [{ "type": "null" }, { "properties": { "token": marked } }] } },
            "tuple": { "prefixItems": [{}, marked] },
            "map": { "additionalProperties": { "oneOf": [marked] } },
            "referred": { "allOf": [{ "$ref": "#/$defs/login" }] },
            "anchored": { "$ref": "#named" },
            "tree": { "$ref": "#/$defs/tree" },
            "open": { "properties": { "token": { "writeOnly": false } } },
        },
        "allOf": [{ "properties": { "added": marked, "city": {} } }, { "$ref": "#" }],
    });
    let expected = ["object", "list", "tuple", "map", "referred", "anchored", "added"];
    assert_eq!(secret_names(Some(&schema)), expected);

    // What does not fit is not shown, whatever the setting is called.
    let schema = json!({ "properties": { "a/b": { "properties": { "token": { "type": "null", "writeOnly": true } } } } });
    let configured = json!({ "a/b": { "token": "s3cret" } });
    let error = run(Case { schema: Some(schema), configured, ..case() }).unwrap_err().to_string();
    assert!(error.contains("/a~1b/token") && !error.contains("s3cret"), "{error}");
}

#[test]
fn says_how_a_secret_that_is_missing_is_kept() {
    let schema = json!({ "required": ["key"], "properties": { "key": { "writeOnly": true } } });
    let error = run(Case { schema: Some(schema), ..case() }).unwrap_err();
    assert!(error.hint().starts_with("`astros secrets set weather key` keeps it"), "{}", error.hint());
}

#[test]
fn types_variables_by_the_schema_and_by_the_default() {
    let schema = json!({"properties": {
        "days": {"type": "integer"}, "ratio": {"type": "number"}, "on": {"type": "boolean"},
        "tags": {"type": "array"}, "map": {"type": "object"}, "maybe": {"type": ["integer", "string"]},
        "api-key": {"type": "string"}, "opt": {"type": ["null", "integer"]},
    }});
    let table = [
        ("ASTROS_WEATHER_DAYS", " 3 ", "days", json!(3)),
        ("ASTROS_WEATHER_RATIO", "0.5", "ratio", json!(0.5)),
        ("ASTROS_WEATHER_RATIO", "2", "ratio", json!(2)),
        ("ASTROS_WEATHER_ON", "Yes", "on", json!(true)),
        ("ASTROS_WEATHER_ON", "0", "on", json!(false)),
        ("ASTROS_WEATHER_TAGS", "a, b,", "tags", json!(["a", "b"])),
        ("ASTROS_WEATHER_TAGS", "[1, 2]", "tags", json!([1, 2])),
        ("ASTROS_WEATHER_MAP", r#"{"a": 1}"#, "map", json!({"a": 1})),
        ("ASTROS_WEATHER_MAYBE", "7", "maybe", json!(7)),
        ("ASTROS_WEATHER_MAYBE", "seven", "maybe", json!("seven")),
        ("ASTROS_WEATHER_API_KEY", "007", "api-key", json!("007")),
        ("ASTROS_WEATHER_OPT", "", "opt", json!(null)),
        ("ASTROS_WEATHER_COUNT", "5", "count", json!(5)),
        ("ASTROS_WEATHER_NAME", "5", "name", json!("5")),
        ("ASTROS_WEATHER_NEW_KEY", "5", "new_key", json!("5")),
        ("LOCALAGENT_WEATHER_DAYS", "4", "days", json!(4)),
    ];
    for (variable, text, key, value) in table {
        let settings = run(Case {
            schema: Some(schema.clone()),
            defaults: json!({"count": 1, "name": null}),
            environment: vec![(variable, text)],
            ..case()
        });
        assert_eq!(settings.unwrap()[key], value, "{variable}={text}");
    }
}

#[test]
fn reads_a_size_where_the_schema_has_one() {
    let schema = json!({"properties": {
        "most": {"type": "integer", "format": "size", "maximum": 1_000_000_000}, "text": {"type": "string", "format": "size"},
        "least": {"type": ["integer", "null"], "format": "size"}, "plain": {"type": "integer"},
    }});
    let settings = run(Case {
        schema: Some(schema.clone()),
        defaults: json!({"most": "100MB", "text": "100MB"}),
        environment: vec![("ASTROS_WEATHER_LEAST", "2 KiB")],
        ..case()
    });
    assert_eq!(settings.unwrap(), json!({"most": 100_000_000, "text": "100MB", "least": 2048}));
    for wrong in [json!({"most": "2GB"}), json!({"most": "much"}), json!({"plain": "100MB"})] {
        let error = run(Case { schema: Some(schema.clone()), configured: wrong, ..case() }).unwrap_err();
        assert!(matches!(error, SettingsError::Invalid { .. }), "{error}");
    }
}

#[test]
fn gives_a_variable_to_the_longest_name_and_never_a_reserved_one() {
    let variables = [
        ("ASTROS_FILE_MANAGER_ROOT", "1"),
        ("ASTROS_FILE_X", "2"),
        ("ASTROS_HOME", "3"),
        ("ASTROS_HOME_SIZE", "4"),
        ("ASTROS_PLUGIN_PATH", "5"),
        ("ASTROS_FILE_", "6"),
        ("ASTROS_FILE", "7"),
        ("OTHER_FILE_X", "8"),
    ];
    let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let found = overrides(["file", "file-manager", "home", "plugin", "astros"], &Claims::new(), variables).of;
    let keys = |plugin: &str| found[plugin].iter().map(|one| &one.key[..]).collect::<Vec<_>>();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["file", "file-manager", "home"]);
    assert_eq!((keys("file"), keys("file-manager"), keys("home")), (vec!["X"], vec!["ROOT"], vec!["SIZE"]));
}

#[test]
fn names_every_setting_that_does_not_fit() {
    let error = run(Case {
        schema: Some(json!({
            "type": "object", "required": ["city", "key"], "additionalProperties": false,
            "properties": {
                "city": {"type": "string"}, "key": {"type": "string"}, "days": {"type": "integer", "maximum": 7},
                "unit": {"enum": ["C", "F"]}, "on": {"type": "boolean"}, "deep": {"items": {"type": "integer"}},
            },
        })),
        defaults: json!({"unit": "K"}),
        configured: json!({"city": 5, "deep": [1, "x"]}),
        environment: vec![("ASTROS_WEATHER_DAYS", "8"), ("ASTROS_WEATHER_ON", "perhaps")],
        ..case()
    })
    .unwrap_err();
    let SettingsError::Invalid { problems, .. } = &error else { panic!("{error}") };
    let mut found: Vec<_> = problems.iter().map(|one| (&one.pointer[..], &one.source[..])).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("/city", "/h/astros.yaml:5"),
            ("/days", "ASTROS_WEATHER_DAYS"),
            ("/deep/1", "/h/astros.yaml:6"),
            ("/key", ""),
            ("/on", "ASTROS_WEATHER_ON"),
            ("/unit", "default of the manifest"),
        ]
    );
    let wire = Error::from(error);
    assert_eq!(wire.kind(), "invalid_settings");
    assert!(wire.message.contains(r#"`/city`: 5 is not of type "string" (/h/astros.yaml:5)"#), "{wire}");
    assert!(wire.message.contains("`/on`: is `perhaps`, expected `true` or `false`"), "{wire}");
    assert!(wire.hint().unwrap().contains("`plugins.weather.settings`"));
    assert_eq!(wire.data.unwrap().extra["problems"].as_array().unwrap().len(), 6);
}

#[test]
fn blocks_until_required_settings_are_there() {
    let needy =
        || Configuration { required_settings: names(&["api-key", "city"]), ..Configuration::default() };
    let error =
        run(Case { configuration: needy(), configured: json!({"city": null}), ..case() }).unwrap_err();
    assert_eq!(error.to_string(), "needs settings: `api-key`, `city`");
    let hint = "`astros settings set weather api-key VALUE` sets it; so do `plugins.weather.settings` in \
                `/h/astros.yaml`, and `ASTROS_WEATHER_API_KEY` in the environment";
    assert_eq!(error.hint(), hint);
    let configured = json!({"api-key": "k"});
    let environment = vec![("ASTROS_WEATHER_CITY", "Oslo")];
    let settings = run(Case { configuration: needy(), configured, environment, ..case() });
    assert_eq!(settings.unwrap(), json!({"api-key": "k", "city": "Oslo"}));

    let error = run(Case { schema: Some(json!({"required": ["city"]})), ..case() }).unwrap_err();
    assert_eq!(error.to_string(), "needs settings: `city`");
    let within = json!({"allOf": [{"$ref": "#/$defs/place"}], "$defs": {"place": {"required": ["city"]}}});
    let error = run(Case { schema: Some(within), ..case() }).unwrap_err();
    assert_eq!(error.to_string(), "needs settings: `city`", "a schema within requires it");
    let error = run(Case { requires_config: true, defaults: json!({"a": 1}), ..case() }).unwrap_err();
    assert_eq!(error.to_string(), "needs settings");
    assert!(run(Case { requires_config: true, configured: json!({"a": 1}), ..case() }).is_ok());
}

#[test]
fn keeps_fixed_what_the_manifest_does_not_leave_to_the_person() {
    let list = || Configuration {
        user_configurable: names(&["unit", "days"]),
        required_settings: names(&["city"]),
        ..Configuration::default()
    };
    let change = |configured| {
        run(Case {
            configuration: list(),
            defaults: json!({"unit": "C", "model": "m"}),
            configured,
            ..case()
        })
    };
    assert!(change(json!({"city": "Oslo", "days": 1, "unit": "F"})).is_ok());
    let error = change(json!({"city": "Oslo", "model": "other"})).unwrap_err().to_string();
    assert!(error.contains("`/model`: may not be changed, expected one of `unit`, `days`"), "{error}");
    assert!(error.contains("/h/astros.yaml:6"), "{error}");
}

#[test]
fn blames_a_broken_schema_on_its_author() {
    for schema in [
        json!({"type": "nonsense"}),
        json!({"properties": {"a": {"$ref": "https://example.org/schema.json"}}}),
        json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
        json!({"pattern": "("}),
    ] {
        let error = run(Case { schema: Some(schema.clone()), ..case() }).expect_err(&schema.to_string());
        assert!(matches!(error, SettingsError::BadSchema { .. }), "{schema}: {error}");
        assert!(error.to_string().contains("`weather` in `config/schema.json`"), "{error}");
    }
}

#[test]
fn a_secret_is_nobodys_that_two_plugins_may_mean() {
    let claims = [
        ("ASTROS_MY_WEATHER_API_KEY", vec!["my-weather"]),
        ("ASTROS_MY_WEATHER_TOKEN", vec!["my-weather"]),
        ("ASTROS_TWO_WORDS_X", vec!["two-words", "two_words"]),
    ];
    let claims: Claims =
        claims.map(|(name, of)| (name.to_owned(), of.into_iter().map(str::to_owned).collect())).into();
    let variables = [
        "ASTROS_MY_WEATHER_API_KEY",
        "ASTROS_MY_WEATHER_TOKEN",
        "ASTROS_MY_WEATHER_API_CITY",
        "ASTROS_TWO_WORDS_X",
    ];
    let variables = variables.map(|name| (name.to_owned(), "v".to_owned()));
    let found = overrides(["my-weather", "my-weather-api", "two-words", "two_words"], &claims, variables);
    let keys =
        |plugin: &str| found.of.get(plugin).map(|all| all.iter().map(|one| &*one.key).collect::<Vec<_>>());
    assert_eq!(keys("my-weather"), Some(vec!["TOKEN"]));
    assert_eq!(keys("my-weather-api"), Some(vec!["CITY"]));
    assert_eq!((keys("two-words"), keys("two_words")), (None, None), "nobody can tell whose it is");
    let unclear = "`ASTROS_MY_WEATHER_API_KEY` may be of `my-weather-api` or `my-weather`";
    assert!(found.unclear.len() == 2 && found.unclear[0].starts_with(unclear), "{:?}", found.unclear);
}

-- Where the plugin is that was enabled, or was granted something: one of the same name elsewhere is another one.
CREATE TABLE places (plugin TEXT PRIMARY KEY, folder BLOB NOT NULL) WITHOUT ROWID;

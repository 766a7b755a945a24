-- A database as the first version of AstrOS left it: the schema as it was then, and a little of everything in it.
-- It never changes: today's code has to open it.
-- Plugins' own data. A new value takes a new row, so that AUTOINCREMENT makes its version: none ever repeats.
CREATE TABLE entries (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON
  expires_at INTEGER, -- milliseconds since 1970
  UNIQUE (plugin, key)
);
CREATE INDEX entries_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;

-- Bytes of keys and values, counted as they come and go.
CREATE TABLE usage (plugin TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER entries_come AFTER INSERT ON entries BEGIN
  INSERT INTO usage VALUES (new.plugin, octet_length(new.key) + octet_length(new.value))
    ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER entries_go AFTER DELETE ON entries BEGIN
  UPDATE usage SET bytes = bytes - octet_length(old.key) - octet_length(old.value) WHERE plugin = old.plugin;
END;

-- Where a session's next text goes, until when.
CREATE TABLE followups (
  session TEXT PRIMARY KEY,
  plugin TEXT NOT NULL,
  handler TEXT NOT NULL,
  context TEXT NOT NULL, -- JSON
  until INTEGER NOT NULL
) WITHOUT ROWID;

-- What commands said of plugins.
CREATE TABLE enablement (plugin TEXT PRIMARY KEY, enabled INTEGER NOT NULL) WITHOUT ROWID;

-- What plugins said they offer, valid while their code has the fingerprint.
CREATE TABLE descriptions (
  folder BLOB PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  description TEXT NOT NULL -- JSON
) WITHOUT ROWID;

INSERT INTO entries (plugin, key, value, expires_at) VALUES ('weather', 'city', '"Oslo"', NULL);
INSERT INTO followups VALUES ('ada:default', 'alto', 'version', '{"size": "large"}', 9000000000000);
INSERT INTO enablement VALUES ('tenor', 0);
PRAGMA user_version = 1;

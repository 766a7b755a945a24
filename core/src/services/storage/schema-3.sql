-- What commands set of the plugins' settings.
CREATE TABLE settings (
  plugin TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON
  PRIMARY KEY (plugin, name)
) WITHOUT ROWID;

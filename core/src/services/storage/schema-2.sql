-- What a person decided of plugins' permissions; of two that speak of the same, the later one holds.
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL,
  permission TEXT NOT NULL, -- one item, as it is displayed
  granted INTEGER NOT NULL,
  since INTEGER NOT NULL, -- milliseconds since 1970
  UNIQUE (plugin, permission)
);

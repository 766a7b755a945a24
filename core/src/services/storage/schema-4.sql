-- Runs of workflows, and what became of their phases and steps.
CREATE TABLE workflow_runs (
  id TEXT PRIMARY KEY,
  workflow TEXT NOT NULL, -- its name
  plan TEXT NOT NULL, -- JSON: the workflow as it was, and what it was given
  started INTEGER NOT NULL, -- milliseconds since 1970
  resumed INTEGER NOT NULL DEFAULT 0, -- so many times
  success INTEGER, -- null until it ended
  ended INTEGER
) WITHOUT ROWID;
CREATE TABLE workflow_steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL,
  phase TEXT NOT NULL,
  step TEXT NOT NULL, -- empty: the phase itself
  outcome TEXT NOT NULL, -- JSON
  UNIQUE (run, phase, step)
);

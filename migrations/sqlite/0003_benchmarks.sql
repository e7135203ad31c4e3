-- Benchmarks: what is measured again and again, its runs, and the steps in its level.

CREATE TABLE benchmarks (
    id               TEXT PRIMARY KEY,
    team             TEXT NOT NULL,
    suite            TEXT NOT NULL,
    name             TEXT NOT NULL,
    unit             TEXT NOT NULL,
    higher_is_better BOOLEAN NOT NULL,
    service_id       TEXT REFERENCES services (id),
    runs             INTEGER NOT NULL,
    latest           REAL NOT NULL,
    latest_at        INTEGER NOT NULL,
    -- The newest step, the first run without one; whether for the worse, unknown without one.
    changed_at       INTEGER NOT NULL,
    worse            BOOLEAN,
    -- A JSON array of all steps, oldest first.
    steps            TEXT NOT NULL
);
CREATE UNIQUE INDEX benchmarks_by_name ON benchmarks (team, suite, name, unit);

CREATE TABLE benchmark_runs (
    id           TEXT PRIMARY KEY,
    benchmark_id TEXT NOT NULL REFERENCES benchmarks (id),
    at           INTEGER NOT NULL,
    -- Empty where the tool does not say.
    commit_id    TEXT NOT NULL,
    centre       REAL NOT NULL,
    -- A JSON array of numbers.
    measured     TEXT NOT NULL
);
CREATE UNIQUE INDEX benchmark_runs_by_time ON benchmark_runs (benchmark_id, at, commit_id);

-- Benchmarks: what is measured again and again, its runs, and the steps in its level.

CREATE TABLE benchmarks (
    id               UUID PRIMARY KEY,
    team             TEXT COLLATE "C" NOT NULL,
    suite            TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    unit             TEXT COLLATE "C" NOT NULL,
    higher_is_better BOOLEAN NOT NULL,
    service_id       UUID REFERENCES services (id),
    runs             BIGINT NOT NULL,
    latest           DOUBLE PRECISION NOT NULL,
    latest_at        TIMESTAMPTZ NOT NULL,
    -- The newest step, the first run without one; whether for the worse, unknown without one.
    changed_at       TIMESTAMPTZ NOT NULL,
    worse            BOOLEAN,
    -- A JSON array of all steps, oldest first.
    steps            JSONB NOT NULL
);
CREATE UNIQUE INDEX benchmarks_by_name ON benchmarks (team, suite, name, unit);

CREATE TABLE benchmark_runs (
    id           UUID PRIMARY KEY,
    benchmark_id UUID NOT NULL REFERENCES benchmarks (id),
    at           TIMESTAMPTZ NOT NULL,
    -- Empty where the tool does not say.
    commit_id    TEXT COLLATE "C" NOT NULL,
    centre       DOUBLE PRECISION NOT NULL,
    -- A JSON array of numbers.
    measured     JSONB NOT NULL
);
CREATE UNIQUE INDEX benchmark_runs_by_time ON benchmark_runs (benchmark_id, at, commit_id);

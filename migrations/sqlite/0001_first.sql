-- Times are microseconds since 1970 (INTEGER), money is millionths (INTEGER) with its currency beside it, uuids and JSON are TEXT.
-- JSON columns named `body` hold the whole domain value; the columns beside it are what lists filter and sort by.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE clusters (
    name          TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    newest_sample INTEGER
);

CREATE TABLE services (
    id           TEXT PRIMARY KEY,
    cluster      TEXT NOT NULL REFERENCES clusters (name),
    namespace    TEXT NOT NULL,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    service_name TEXT NOT NULL,
    team         TEXT NOT NULL,
    environment  TEXT NOT NULL,
    managed      TEXT NOT NULL,
    replicas     INTEGER,
    seen_at      INTEGER NOT NULL,
    gone_at      INTEGER,
    body         TEXT NOT NULL,
    UNIQUE (cluster, namespace, kind, name)
);
CREATE INDEX services_by_name ON services (name);
CREATE INDEX services_by_service_name ON services (service_name);
CREATE INDEX services_by_team ON services (team);

CREATE TABLE service_summary (
    service_id        TEXT PRIMARY KEY REFERENCES services (id),
    cluster           TEXT NOT NULL,
    team              TEXT NOT NULL,
    verdict           TEXT NOT NULL,
    cpu_peak_share    REAL,
    memory_peak_share REAL,
    latency_p99_ms    REAL,
    request_rate      REAL,
    cost_micros       INTEGER,
    currency          TEXT,
    idle_share        REAL,
    analysed_at       INTEGER NOT NULL,
    spark             TEXT NOT NULL,
    cpu               TEXT NOT NULL,
    memory            TEXT NOT NULL,
    no_action         TEXT,
    findings          TEXT NOT NULL
);
CREATE INDEX service_summary_by_team ON service_summary (team);

-- Samples. A series is one metric of one service; its number keeps samples small and together.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    cluster    TEXT NOT NULL,
    service_id TEXT NOT NULL REFERENCES services (id),
    metric     TEXT NOT NULL,
    UNIQUE (service_id, metric)
);

-- The open day: one row per cluster, interval and group of 1,024 series; only ever appended to, and emptied when its day is closed.
CREATE TABLE sample_head (
    seq          INTEGER PRIMARY KEY,
    cluster      TEXT NOT NULL,
    series_group INTEGER NOT NULL,
    at           INTEGER NOT NULL, -- seconds since 1970
    step         INTEGER NOT NULL, -- seconds
    samples      BLOB NOT NULL     -- (series id, value) pairs: i64 and f32, little-endian
);
CREATE INDEX sample_head_by_group ON sample_head (series_group, at);
CREATE INDEX sample_head_by_cluster ON sample_head (cluster, at);

-- Closed days: one compressed chunk per series and day, clustered for ordered scans.
CREATE TABLE sample_chunks (
    series_id INTEGER NOT NULL,
    day       INTEGER NOT NULL, -- days since 1970
    start     INTEGER NOT NULL, -- seconds since 1970 of the first value
    step      INTEGER NOT NULL, -- seconds
    samples   BLOB NOT NULL,    -- f32 values, compressed with pco; NaN is a gap
    PRIMARY KEY (series_id, day)
) WITHOUT ROWID;

CREATE TABLE optimization_jobs (
    id                 TEXT PRIMARY KEY,
    job_id             TEXT NOT NULL UNIQUE,
    cluster            TEXT,
    team               TEXT,
    service_id         TEXT,
    service_name       TEXT NOT NULL,
    optimization_type  TEXT NOT NULL,
    status             TEXT NOT NULL,
    state              TEXT NOT NULL,
    analysis_period    TEXT NOT NULL,
    requested_by       TEXT NOT NULL,
    reason             TEXT,
    created_at         INTEGER NOT NULL,
    completed_at       INTEGER,
    body               TEXT NOT NULL
);
CREATE INDEX optimization_jobs_by_time ON optimization_jobs (created_at);
CREATE INDEX optimization_jobs_unfinished ON optimization_jobs (created_at) WHERE completed_at IS NULL;

CREATE TABLE optimization_recommendations (
    id                   TEXT PRIMARY KEY,
    recommendation_id    TEXT NOT NULL UNIQUE,
    job_id               TEXT NOT NULL,
    cluster              TEXT NOT NULL,
    team                 TEXT NOT NULL,
    service_id           TEXT NOT NULL REFERENCES services (id),
    service_name         TEXT NOT NULL,
    optimization_type    TEXT NOT NULL,
    strategy             TEXT NOT NULL,
    proposed_by          TEXT NOT NULL,
    state                TEXT NOT NULL,
    status               TEXT NOT NULL,
    substate             TEXT,          -- of its newest change
    change_id            TEXT,          -- its newest change
    applied              BOOLEAN NOT NULL,
    risk                 TEXT NOT NULL,
    saving_micros        INTEGER,
    currency             TEXT,
    confidence           REAL NOT NULL,
    priority             REAL NOT NULL,
    created_at           INTEGER NOT NULL,
    title                TEXT NOT NULL,
    reason               TEXT,
    restarts_pods        BOOLEAN NOT NULL,
    bar                  TEXT NOT NULL, -- the bar of the resource it changes
    expected_improvement TEXT NOT NULL,
    description          TEXT NOT NULL,
    current_state        TEXT NOT NULL,
    recommended_state    TEXT NOT NULL,
    body                 TEXT NOT NULL
);
CREATE INDEX recommendations_by_service ON optimization_recommendations (service_id, state, saving_micros);
CREATE INDEX recommendations_by_state ON optimization_recommendations (state, priority);
CREATE INDEX recommendations_by_substate ON optimization_recommendations (substate) WHERE substate IS NOT NULL;
CREATE INDEX recommendations_by_job ON optimization_recommendations (job_id);

CREATE TABLE changes (
    id                TEXT PRIMARY KEY,
    recommendation_id TEXT NOT NULL REFERENCES optimization_recommendations (id),
    cluster           TEXT NOT NULL,
    team              TEXT NOT NULL,
    service_id        TEXT NOT NULL REFERENCES services (id),
    state             TEXT NOT NULL,
    holds_target      BOOLEAN NOT NULL,
    requested_by      TEXT NOT NULL,
    plan_hash         TEXT NOT NULL,
    version           INTEGER NOT NULL,
    submitted_at      INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    applied_at        INTEGER,
    rolled_back_at    INTEGER,
    judgement         TEXT,
    body              TEXT NOT NULL
);
-- One change per service at a time, from its submission to its end.
CREATE UNIQUE INDEX changes_one_per_target ON changes (service_id) WHERE holds_target;
CREATE INDEX changes_by_recommendation ON changes (recommendation_id, submitted_at);
CREATE INDEX changes_by_service ON changes (service_id, submitted_at);
CREATE INDEX changes_by_state ON changes (state);
CREATE INDEX changes_by_time ON changes (submitted_at);

CREATE TABLE comments (
    id                TEXT PRIMARY KEY,
    recommendation_id TEXT NOT NULL REFERENCES optimization_recommendations (id),
    cluster           TEXT NOT NULL,
    team              TEXT NOT NULL,
    author            TEXT NOT NULL,
    at                INTEGER NOT NULL,
    text              TEXT NOT NULL
);
CREATE INDEX comments_by_recommendation ON comments (recommendation_id, at);

-- What was promised and what came of it: confidence is calibrated from this.
CREATE TABLE outcomes (
    change_id         TEXT PRIMARY KEY REFERENCES changes (id),
    recommendation_id TEXT NOT NULL,
    cluster           TEXT NOT NULL,
    team              TEXT NOT NULL,
    service_id        TEXT NOT NULL,
    strategy          TEXT NOT NULL,
    optimization_type TEXT NOT NULL,
    confidence        REAL NOT NULL,
    promised          TEXT NOT NULL,
    measured          TEXT NOT NULL,
    promised_micros   INTEGER,
    achieved_micros   INTEGER,
    currency          TEXT,
    kept              BOOLEAN,
    at                INTEGER NOT NULL
);
CREATE INDEX outcomes_by_strategy ON outcomes (strategy, at);

CREATE TABLE ledger (
    change_id       TEXT PRIMARY KEY REFERENCES changes (id),
    cluster         TEXT NOT NULL,
    team            TEXT NOT NULL,
    service_id      TEXT NOT NULL,
    promised_micros INTEGER NOT NULL,
    achieved_micros INTEGER,
    currency        TEXT NOT NULL,
    in_force        BOOLEAN NOT NULL,
    at              INTEGER NOT NULL
);
CREATE INDEX ledger_by_time ON ledger (at);

CREATE TABLE policies (
    scope TEXT PRIMARY KEY,
    patch TEXT NOT NULL,
    by    TEXT NOT NULL,
    at    INTEGER NOT NULL
);

CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    locked       BOOLEAN NOT NULL,
    created_at   INTEGER NOT NULL,
    last_sign_in INTEGER
);

CREATE TABLE credentials (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    hash    TEXT NOT NULL,
    set_at  INTEGER NOT NULL
);

CREATE TABLE one_time_codes (
    hash       TEXT PRIMARY KEY,
    user_id    TEXT REFERENCES users (id),
    purpose    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
);
CREATE INDEX one_time_codes_by_user ON one_time_codes (user_id);

CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id),
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used  INTEGER,
    revoked_at INTEGER
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    data       BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    user_name  TEXT
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_user ON sessions (user_name);

-- Append-only, each entry chained to the one before it. `body` is the canonical JSON that is hashed.
CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY,
    prev_hash    TEXT NOT NULL,
    hash         TEXT NOT NULL,
    name         TEXT NOT NULL,
    actor        TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject      TEXT NOT NULL,
    service_id   TEXT,
    cluster      TEXT,
    team         TEXT,
    reason       TEXT,
    wall_at      INTEGER NOT NULL,
    cluster_at   INTEGER NOT NULL,
    body         TEXT NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, seq);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;
CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

CREATE TABLE outbox (
    seq          INTEGER PRIMARY KEY,
    event        TEXT NOT NULL,
    at           INTEGER NOT NULL,
    published_at INTEGER
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;

-- Work that is to be done at least once. A fence grows with every lease: only its newest holder may write.
CREATE TABLE work (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    payload     TEXT NOT NULL,
    run_at      INTEGER NOT NULL,
    again_at    INTEGER,
    lease_owner TEXT,
    lease_until INTEGER,
    fence       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    UNIQUE (kind, subject)
);
CREATE INDEX work_by_time ON work (run_at);

CREATE TABLE idempotency_keys (
    actor        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status       INTEGER NOT NULL,
    body         BLOB NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at);

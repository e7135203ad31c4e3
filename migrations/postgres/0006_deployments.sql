-- Deploys: what began to run when, told by pipelines or seen in the cluster.
CREATE TABLE deployments (
    id         UUID PRIMARY KEY,
    service_id UUID NOT NULL REFERENCES services (id),
    -- A version or an image.
    version    TEXT COLLATE "C" NOT NULL,
    -- Both empty where nobody says.
    commit_id  TEXT COLLATE "C" NOT NULL,
    link       TEXT COLLATE "C" NOT NULL,
    -- Wall time, and the cluster's.
    at         TIMESTAMPTZ NOT NULL,
    cluster_at TIMESTAMPTZ NOT NULL,
    -- Whether it was first seen in the cluster, rather than told.
    seen       BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX deployments_by_service ON deployments (service_id, at, version);
CREATE INDEX deployments_by_time ON deployments (at);

-- What was put aside until a time.
CREATE INDEX recommendations_by_return ON optimization_recommendations ((body ->> 'dismissed_until')) WHERE state = 'DISMISSED';

-- What confidence is calibrated by: the newest of what was judged.
CREATE INDEX outcomes_judged ON outcomes (at) WHERE kept IS NOT NULL;

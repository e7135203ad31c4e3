-- What an analysis keeps of a closed day of a service, so that its samples are not read again. Every day that has chunks has a row.
CREATE TABLE service_days (
    service_id uuid NOT NULL REFERENCES services (id),
    day        bigint NOT NULL, -- days since 1970
    version    bigint NOT NULL, -- goes up whenever samples of the day are written
    sketch     bytea,           -- NULL until an analysis has looked at the day
    PRIMARY KEY (service_id, day)
);
INSERT INTO service_days (service_id, day, version)
    SELECT DISTINCT series.service_id, sample_chunks.day, 1 FROM sample_chunks JOIN series ON series.id = sample_chunks.series_id;

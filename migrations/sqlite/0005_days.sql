-- What an analysis keeps of a closed day of a service, so that its samples are not read again. Every day that has chunks has a row.
CREATE TABLE service_days (
    service_id TEXT NOT NULL REFERENCES services (id),
    day        INTEGER NOT NULL, -- days since 1970
    version    INTEGER NOT NULL, -- goes up whenever samples of the day are written
    sketch     BLOB,             -- NULL until an analysis has looked at the day
    PRIMARY KEY (service_id, day)
) WITHOUT ROWID;
INSERT INTO service_days (service_id, day, version)
    SELECT DISTINCT series.service_id, sample_chunks.day, 1 FROM sample_chunks JOIN series ON series.id = sample_chunks.series_id;

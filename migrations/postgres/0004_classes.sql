-- What a service is like: its class in the fleet and how it does among its like, a JSON object; unknown until a fleet was analysed.
ALTER TABLE service_summary ADD COLUMN class TEXT COLLATE "C";
-- What a list of all begins with: the newest, or the most urgent.
CREATE INDEX recommendations_by_time ON optimization_recommendations (created_at);
CREATE INDEX recommendations_by_priority ON optimization_recommendations (priority);

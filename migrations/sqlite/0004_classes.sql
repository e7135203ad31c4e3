-- What a service is like: its class in the fleet and how it does among its like, a JSON object; unknown until a fleet was analysed.
ALTER TABLE service_summary ADD COLUMN class TEXT;

-- Teams, identity providers, second factors; tokens with a scope and an end; sessions that can be told apart.

-- A JSON array of names; without one, every team.
ALTER TABLE users ADD COLUMN teams TEXT;
-- Issuer and subject of an identity provider, for users whom one signs in.
ALTER TABLE users ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX users_by_subject ON users (subject);

CREATE TABLE second_factors (
    user_id      TEXT PRIMARY KEY REFERENCES users (id),
    secret       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    -- Unknown until a first code has proved that the authenticator has it.
    confirmed_at INTEGER,
    -- The last time step whose code was taken: none is taken twice.
    last_step    INTEGER NOT NULL
);

-- A JSON array of permissions; without one, all that the user's role has.
ALTER TABLE api_tokens ADD COLUMN scope TEXT;
ALTER TABLE api_tokens ADD COLUMN expires_at INTEGER;

-- Sessions from before know neither when nor where they began: everybody signs in once more.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';

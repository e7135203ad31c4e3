-- Teams, identity providers, second factors; tokens with a scope and an end; sessions that can be told apart.

-- A JSON array of names; without one, every team.
ALTER TABLE users ADD COLUMN teams TEXT COLLATE "C";
-- Issuer and subject of an identity provider, for users whom one signs in.
ALTER TABLE users ADD COLUMN subject TEXT COLLATE "C";
CREATE UNIQUE INDEX users_by_subject ON users (subject);

CREATE TABLE second_factors (
    user_id      UUID PRIMARY KEY REFERENCES users (id),
    secret       TEXT COLLATE "C" NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    -- Unknown until a first code has proved that the authenticator has it.
    confirmed_at TIMESTAMPTZ,
    -- The last time step whose code was taken: none is taken twice.
    last_step    BIGINT NOT NULL
);

-- A JSON array of permissions; without one, all that the user's role has.
ALTER TABLE api_tokens ADD COLUMN scope TEXT COLLATE "C";
ALTER TABLE api_tokens ADD COLUMN expires_at TIMESTAMPTZ;

-- Sessions from before know neither when nor where they began: everybody signs in once more.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN created_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch';
ALTER TABLE sessions ADD COLUMN seen_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch';
ALTER TABLE sessions ADD COLUMN address TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT COLLATE "C" NOT NULL DEFAULT '';

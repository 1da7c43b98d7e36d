-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- TEXT, BYTES and PLACE are words that each engine puts its own type in place of. A place
-- is a number made from an id: what is looked up for every request is found by it, because
-- one engine finds a row by its number without an index. Times are
-- microseconds since 1970 UTC, 0 for none. Lists are JSON text, empty for none. Bytes
-- that may be empty may be NULL: one engine stores empty bytes as NULL.

CREATE TABLE accounts (
    place          PLACE  NOT NULL PRIMARY KEY, -- of the id; so ids are unique over all tenants
    id             TEXT   NOT NULL,
    tenant         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    uid            TEXT   NOT NULL,
    email          TEXT   NOT NULL,
    username       TEXT   NOT NULL,
    role           TEXT   NOT NULL,
    level          BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    referral       TEXT   NOT NULL,
    otp            BIGINT NOT NULL,
    version        BIGINT NOT NULL,
    username_lower TEXT   NOT NULL, -- lowered by us: engines lower different letters
    owner          TEXT   NOT NULL,
    created        BIGINT NOT NULL,
    updated        BIGINT NOT NULL,
    spent_version  BIGINT NOT NULL, -- the last TOTP step spent; -1: none
    spent_step     BIGINT NOT NULL,
    totp_version   BIGINT NOT NULL,
    totp_ref       TEXT   NOT NULL,
    totp_data      BYTES,
    password_hash  TEXT   NOT NULL,
    labels         TEXT   NOT NULL,
    data           TEXT   NOT NULL,
    UNIQUE (tenant, id)
);
CREATE UNIQUE INDEX accounts_uid ON accounts (tenant, uid) WHERE uid <> '';
CREATE UNIQUE INDEX accounts_email ON accounts (tenant, email) WHERE email <> '';
CREATE UNIQUE INDEX accounts_username ON accounts (tenant, username_lower) WHERE username_lower <> '';
CREATE INDEX accounts_created ON accounts (tenant, created);
CREATE INDEX accounts_owner ON accounts (tenant, owner) WHERE owner <> '';

-- The materials of a key are part of its row: a look-up reads them with it at no cost,
-- and an update replaces them as a set. See materials.go for the bytes.
CREATE TABLE keys (
    place      PLACE  NOT NULL PRIMARY KEY, -- of the id
    id         TEXT   NOT NULL UNIQUE,
    tenant     TEXT   NOT NULL,
    principal  TEXT   NOT NULL,
    principal_place BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    prefix     TEXT   NOT NULL,
    schemes    TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    networks   TEXT   NOT NULL,
    limits     TEXT   NOT NULL,
    replay     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    state_text TEXT   NOT NULL,
    not_before BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    updated    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    materials  BYTES  NOT NULL,
    FOREIGN KEY (tenant, principal) REFERENCES accounts (tenant, id)
);
CREATE INDEX keys_principal ON keys (principal, created); -- one tenant for each principal
CREATE INDEX keys_created ON keys (tenant, created);

CREATE TABLE sessions (
    hash       BYTES  NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    csrf       TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    user_agent BYTES, -- kept exactly as it was sent, which need not be text
    factor     BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    seen       BIGINT NOT NULL,
    idle       BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    FOREIGN KEY (tenant, account) REFERENCES accounts (tenant, id)
);
CREATE INDEX sessions_account ON sessions (tenant, account, created);
CREATE INDEX sessions_idle ON sessions (idle);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE tickets (
    tenant  TEXT   NOT NULL,
    purpose TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, purpose, id)
);
CREATE INDEX tickets_subject ON tickets (tenant, purpose, subject);
CREATE INDEX tickets_expires ON tickets (expires);

CREATE TABLE recovery_codes (
    tenant  TEXT  NOT NULL,
    account TEXT  NOT NULL,
    hash    BYTES NOT NULL,
    PRIMARY KEY (account, hash),
    FOREIGN KEY (tenant, account) REFERENCES accounts (tenant, id)
);

-- The primary key makes the chain: two events can not follow the same one.
CREATE TABLE events (
    tenant     TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    time       BIGINT NOT NULL,
    actor_kind TEXT   NOT NULL,
    actor_id   TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    user_agent TEXT   NOT NULL,
    verb       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    changes    TEXT   NOT NULL,
    prev       BYTES,
    hash       BYTES  NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX events_subject ON events (tenant, subject, seq);
CREATE INDEX events_time ON events (tenant, time);

CREATE TABLE data_keys (
    id      TEXT   NOT NULL PRIMARY KEY,
    tenant  TEXT   NOT NULL,
    purpose TEXT   NOT NULL,
    kek     TEXT   NOT NULL,
    wrapped BYTES,
    created BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    tenant       TEXT   NOT NULL,
    algorithm    TEXT   NOT NULL,
    private_ref  TEXT   NOT NULL,
    private_data BYTES,
    public       BYTES,
    created      BIGINT NOT NULL,
    retires      BIGINT NOT NULL
);
CREATE INDEX signing_keys_tenant ON signing_keys (tenant, created);

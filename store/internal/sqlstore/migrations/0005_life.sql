-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- CLUSTERED is a word as in 0001: the rows lie in the order of the primary key, where an
-- engine can have it so.
--
-- What a key may be used for, what its keepers note about it, and when it was deleted.
-- tags are those of the key in key_tags, and bits a few for each, see tags.go; the keys that
-- are there get theirs after this text.

ALTER TABLE keys ADD COLUMN methods TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN paths TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN signed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN bits BIGINT NOT NULL DEFAULT 0;

-- The limits are the last field of the copies of 0004. Between the quotation marks stands
-- the one character U+001F.
ALTER TABLE accounts ADD COLUMN limits TEXT NOT NULL DEFAULT '';
UPDATE keys SET owner = owner || '' WHERE owner <> '';

-- Lists leave deleted keys out. Each order of a search has an index; what follows the id in
-- it rules keys out, or counts them, without reading their rows.
DROP INDEX keys_created;
DROP INDEX keys_principal;
CREATE INDEX keys_created ON keys (tenant, created, id) WHERE deleted = 0;
CREATE INDEX keys_principal ON keys (tenant, principal, deleted, created, id, state);
CREATE INDEX keys_state ON keys (tenant, state, created, id) WHERE deleted = 0;
CREATE INDEX keys_expires ON keys (tenant, expires, id, bits, place) WHERE deleted = 0 AND expires <> 0;
CREATE INDEX keys_used ON keys (tenant, last_used, id, created, bits, place) WHERE deleted = 0;

CREATE TABLE key_tags (
    tenant  TEXT   NOT NULL,
    tag     TEXT   NOT NULL,
    created BIGINT NOT NULL, -- of the key
    id      TEXT   NOT NULL, -- of the key
    place   BIGINT NOT NULL, -- of the key
    bits    BIGINT NOT NULL, -- of the key
    PRIMARY KEY (tenant, tag, created, id, place, bits) -- all of them, so that an index is enough to read
) CLUSTERED;

CREATE TABLE tenants (
    name    TEXT   NOT NULL PRIMARY KEY,
    text    TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    limits  TEXT   NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    version BIGINT NOT NULL
) CLUSTERED;
INSERT INTO tenants (name, text, state, limits, created, updated, version) VALUES ('default', '', 'active', '', 0, 0, 1);
INSERT INTO tenants (name, text, state, limits, created, updated, version)
    SELECT tenant, '', 'active', '', 0, 0, 1 FROM accounts WHERE tenant <> 'default' GROUP BY tenant;

CREATE TABLE rules (
    tenant  TEXT   NOT NULL PRIMARY KEY,
    text    TEXT   NOT NULL,
    version BIGINT NOT NULL
);

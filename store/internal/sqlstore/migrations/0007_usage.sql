-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- CLUSTERED is a word as in 0005. How often outcomes came to pass, by spans of time; of keys
-- only the minutes are written, and moved to hours and days when they are old. A grain
-- is 1 for minutes, 2 for hours, 3 for days. The time comes before the key: all that is
-- written at one time lies together, and so does what is deleted. On SQLite these tables are
-- in a file of their own: nothing here refers to another table.

CREATE TABLE usage_keys (
    grain   BIGINT NOT NULL,
    start   BIGINT NOT NULL,
    tenant  TEXT   NOT NULL,
    key_id  TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    uses    BIGINT NOT NULL,
    PRIMARY KEY (grain, start, tenant, key_id, outcome)
) CLUSTERED;

-- Tenants as a whole: the sum over their keys, and the requests that named none.
CREATE TABLE usage_tenants (
    grain   BIGINT NOT NULL,
    tenant  TEXT   NOT NULL,
    start   BIGINT NOT NULL,
    outcome TEXT   NOT NULL,
    uses    BIGINT NOT NULL,
    PRIMARY KEY (grain, tenant, start, outcome)
) CLUSTERED;
CREATE INDEX usage_tenants_start ON usage_tenants (grain, start);

-- By what and from where keys are used. No index holds last_at, which moves all the time:
-- what is old is found on a walk through the table.
CREATE TABLE usage_schemes (
    tenant   TEXT   NOT NULL,
    key_id   TEXT   NOT NULL,
    material BIGINT NOT NULL,
    scheme   TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    uses     BIGINT NOT NULL,
    PRIMARY KEY (tenant, key_id, material, scheme)
) CLUSTERED;

CREATE TABLE usage_sources (
    tenant   TEXT   NOT NULL,
    key_id   TEXT   NOT NULL,
    material BIGINT NOT NULL,
    scheme   TEXT   NOT NULL,
    peer     TEXT   NOT NULL,
    agent    TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    uses     BIGINT NOT NULL,
    PRIMARY KEY (tenant, key_id, material, scheme, peer, agent)
) CLUSTERED;

CREATE TABLE usage_scopes (
    tenant  TEXT   NOT NULL,
    key_id  TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, key_id, scope)
) CLUSTERED;

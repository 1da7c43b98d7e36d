-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- What was asked for once and was done. The sealed secret is there until it was read; a
-- status of 0 says that nobody was answered yet.

CREATE TABLE receipts (
    tenant      TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    request     BYTES,
    verb        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    sealed_ref  TEXT   NOT NULL,
    sealed_data BYTES,
    status      BIGINT NOT NULL,
    answer      BYTES,
    created     BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX receipts_created ON receipts (created);

-- The end of each chain of events. since is the first event that the mac vouches for, 0
-- where there is no mac.
CREATE TABLE chains (
    tenant TEXT   NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL,
    hash   BYTES  NOT NULL,
    since  BIGINT NOT NULL,
    mac    BYTES
);
CREATE INDEX events_actor ON events (tenant, actor_id, seq) WHERE actor_id <> '';

-- When a signing key begins to sign, 0 for at once.
ALTER TABLE signing_keys ADD COLUMN signs BIGINT NOT NULL DEFAULT 0;

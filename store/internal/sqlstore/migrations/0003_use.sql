-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- How long a key may lie unused, in nanoseconds, 0 for ever; and when it was last used.
-- (Since 0005 an index holds last_used: keys that lie unused are found by it.)

ALTER TABLE keys ADD COLUMN unused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN last_used BIGINT NOT NULL DEFAULT 0;

-- Decisions that operators may look up. An id is a number of chance: it tells attempts of
-- one microsecond apart.
CREATE TABLE attempts (
    time       BIGINT NOT NULL,
    id         BIGINT NOT NULL,
    tenant     TEXT   NOT NULL,
    scheme     TEXT   NOT NULL,
    key_id     TEXT   NOT NULL,
    principal  TEXT   NOT NULL,
    peer       TEXT   NOT NULL,
    user_agent TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    PRIMARY KEY (time, id)
);
CREATE INDEX attempts_key ON attempts (key_id, time, id) WHERE key_id <> '';

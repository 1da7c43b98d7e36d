-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE nodes (
    id      TEXT   NOT NULL PRIMARY KEY,
    name    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    shares  TEXT   NOT NULL, -- where it keeps nonces and limits
    lease   BIGINT NOT NULL, -- nanoseconds; 0: it keeps no records
    started BIGINT NOT NULL,
    seen    BIGINT NOT NULL, -- by its own clock
    beat    BIGINT NOT NULL
);

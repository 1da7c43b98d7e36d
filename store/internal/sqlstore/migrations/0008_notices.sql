-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- What has changed, written in the transaction of the change; see docs/design/revocation.md.

CREATE TABLE notices (
    id      TEXT   NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL, -- by the clock of the node that made it
    tenant  TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    ends    BIGINT NOT NULL, -- 1: what was asserted before holds no longer
    fresh   BIGINT NOT NULL  -- 1: nodes that poll read it
);

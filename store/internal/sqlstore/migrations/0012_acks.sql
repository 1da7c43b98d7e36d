-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE acks (
    notice TEXT NOT NULL,
    node   TEXT NOT NULL,
    PRIMARY KEY (notice, node)
) CLUSTERED;

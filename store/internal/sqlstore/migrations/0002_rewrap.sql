-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- The KEK that everything shall come under, from before the first row is sealed again
-- until after the last. One row at most.

CREATE TABLE rewrap (
    kek TEXT NOT NULL PRIMARY KEY
);

-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- oldest: 14
--
-- Which programs can work beside each step from here on: those that know the step oldest.

CREATE TABLE programs (
    step   BIGINT NOT NULL PRIMARY KEY,
    oldest BIGINT NOT NULL
);

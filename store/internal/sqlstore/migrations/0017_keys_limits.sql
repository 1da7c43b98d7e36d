-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- oldest: 14
--
-- Which keys have limits of their own: few.

CREATE INDEX keys_limits ON keys (tenant, created, id) WHERE deleted = 0 AND limits <> '';

-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- oldest: 14
--
-- Which accounts have limits of their own: few.

CREATE INDEX accounts_limits ON accounts (tenant, created) WHERE limits <> '';

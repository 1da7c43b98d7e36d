-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- oldest: 14
--
-- Who has a role that few have. Most accounts are members: they cost nothing here, and a list
-- of them is that of all accounts.

CREATE INDEX accounts_role ON accounts (tenant, role, created) WHERE role <> 'member';

-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- A copy of the key's principal, so that a look-up reads one row; see owner.go. Between
-- the quotation marks stands the one character U+001F.

ALTER TABLE keys ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE keys SET owner = coalesce((SELECT concat_ws('', a.kind, a.uid, a.email, a.username, a.role, a.level, a.state,
    a.referral, a.otp, a.version) FROM accounts a WHERE a.place = keys.principal_place), '');

-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0

CREATE INDEX notices_fresh ON notices (fresh, at);

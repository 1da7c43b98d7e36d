-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE receipts ADD COLUMN claimed BIGINT NOT NULL DEFAULT 0; -- when somebody began to hand over the secret; 0: nobody does

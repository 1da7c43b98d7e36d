// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

func (c *Console) keyRoutes() []route { return nil }

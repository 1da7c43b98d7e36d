// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package deploy holds what people run: configurations of gateways, and files for many nodes.
// Its tests run the configurations with the real gateways, in front of a real Gatehouse.
package deploy

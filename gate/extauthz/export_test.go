// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package extauthz

import (
	"context"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Health is what the server says of itself: a drained one has no connection left to ask on.
func Health(s *Server) healthpb.HealthCheckResponse_ServingStatus {
	out, err := s.health.Check(context.Background(), &healthpb.HealthCheckRequest{})
	if err != nil {
		return healthpb.HealthCheckResponse_UNKNOWN
	}
	return out.GetStatus()
}

// SetRoom sets how many bytes the bodies of all checks may take together. It comes before any.
func SetRoom(s *Server, n int64) { s.room.Store(n) }

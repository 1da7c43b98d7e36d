// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package mail sends mail to people: by [SMTP] where a server is configured, and
// otherwise into an [Outbox], a directory that only the operator reads. Mail holds
// one-time links, so no text of it goes to a log or into an error.
package mail

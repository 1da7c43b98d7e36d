// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package forwardauth

// traefik is Traefik's ForwardAuth. The target is as Traefik has normalised it.
var traefik = dialect{name: "traefik", facts: forwardeds, read: readForwardeds}

// traefikBody is the same with forwardBody.
var traefikBody = dialect{name: "traefik/body", facts: forwardeds, read: readForwardedsBody}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed14544106/gatehouse/client"
)

// advice is what to do where a server elsewhere, or the way to it, is in a command's way;
// empty: the error says it.
func (e *env) advice(err error) string {
	if errors.Is(err, client.ErrPlainHTTP) {
		return "Use https://, or lead a port of this machine there, such as by ssh -L, and use http://127.0.0.1 with that port."
	}
	if e.to.server == "" || e.ctx.Err() != nil {
		return ""
	}
	_, failed := errors.AsType[*url.Error](err)
	_, noJSON := errors.AsType[*json.SyntaxError](err)
	_, otherJSON := errors.AsType[*json.UnmarshalTypeError](err)
	p, answered := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, client.ErrNoServer), failed:
		return "Does the server run, and is its address right? It is that of " + e.to.from + ": " + e.to.server
	case noJSON, otherJSON, errors.Is(err, io.EOF), answered && strings.HasPrefix(p.Code, "http_"):
		return "That is no Gatehouse API: another server answers, or something stands before it. The address is that of " + e.to.from + ": " + e.to.server
	case answered && p.Code == "no_route":
		return "Not from afar, or the server is of another version: run the command on the server's machine, with --data and without --server and --profile."
	case answered && p.Status == http.StatusUnauthorized:
		name := cmp.Or(e.to.profile, "NAME")
		return "The token is that of " + e.to.tokenFrom + ". Another key's is kept by: gatehouse profile set " + name + " --server " + e.to.server + " --token-stdin"
	}
	return ""
}

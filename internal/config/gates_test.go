// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

func TestGateRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		want string
		set  map[string]string
	}{
		{"gate.listen: is no address", map[string]string{"gate.listen": "secret"}},
		{"grpc.listen: is no address", map[string]string{"grpc.listen": "secret"}},
		{"spoe.listen: is no address", map[string]string{"spoe.listen": "secret"}},
		{"proxy.listen: is no address", map[string]string{"proxy.listen": "secret", "proxy.upstreams": "http://127.0.0.1:3000"}},
		{"smtp.address: is no address", map[string]string{"smtp.address": "secret"}},
		{"gate.listen: is the address of listen too", map[string]string{"gate.listen": "127.0.0.1:8080"}},
		{"ops_listen: is the address of listen too", map[string]string{"ops_listen": "127.0.0.1:8080"}},
		{"proxy.listen: is the address of spoe.listen too", map[string]string{"spoe.listen": ":1", "proxy.listen": ":1", "proxy.upstreams": "http://127.0.0.1:3000"}},
		{"gate.peers: is empty", map[string]string{"gate.peers": "", "spoe.listen": ":1"}},
		{"gate.peers: holds something that is no network", map[string]string{"gate.peers": "secret"}},
		{"gate.token_field: is no name", map[string]string{"gate.token_field": "X Secret"}},
		{"gate.token_field: carries something else", map[string]string{"gate.token_field": "x-auth-key-id"}},
		{"gate.token_field: carries something else", map[string]string{"gate.token_field": "x-forwarded-for"}},
		{"gate.token_field: carries something else", map[string]string{"gate.token_field": "cookie"}},
		{"gate.jwt_lifetime: is not between", map[string]string{"gate.jwt_lifetime": "999ms"}},
		{"gate.jwt_lifetime: is not between", map[string]string{"gate.jwt_lifetime": "25h"}},
		{"gate.max_body: is no whole number", map[string]string{"gate.max_body": "0"}},
		{"gate.max_body: is more than", map[string]string{"gate.max_body": "65537"}},
		{"proxy.upstreams: is empty", map[string]string{"proxy.listen": ":1"}},
		{"proxy.listen: is empty", map[string]string{"proxy.upstreams": "http://secret@127.0.0.1:3000"}},
	} {
		if _, err := Load("", nil, row.set); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: error %v, want %q", row.set, err, row.want)
		}
	}
	for _, set := range []map[string]string{
		{"gate.listen": "127.0.0.1:0", "grpc.listen": "127.0.0.1:0"},
		{"gate.token_field": "X-Gatehouse-Token"},
		{"gate.peers": "", "proxy.listen": ":1", "proxy.upstreams": "http://127.0.0.1:3000"},
	} {
		if _, err := Load("", nil, set); err != nil {
			t.Errorf("%v: %v", set, err)
		}
	}
}

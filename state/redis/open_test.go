// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// TestOpenURL wants a clear error for a URL that cannot be used, without its password.
func TestOpenURL(t *testing.T) {
	t.Parallel()
	const secret = "hunter%32"
	server := testenv.StartRedis(t, "redis-server")
	for _, text := range []string{
		"",
		"localhost:6379",
		"http://u:hunter%32@localhost",
		"redis://",
		"redis://:hunter%32@",
		"redis://u:hunter%32@local host:1",
		"redis://u:hunter%32@localhost:port",
		"redis://u:hunter%32@localhost/database",
		"redis://u:hunter%32@localhost/1/2",
		"redis://u:hunter%32@localhost?skip_verify=true",
		"redis://u:hunter%32@localhost?cluster=maybe",
		"redis://u:hunter%32@localhost?cluster=true&master_set=main",
		"unix://u:hunter%32@/socket",
		server.URL() + "?cluster=true",
	} {
		c, err := redis.Open(t.Context(), text, redis.Options{})
		var invalid *gatehouse.InvalidError
		if c != nil || !errors.As(err, &invalid) || invalid.Field != "url" {
			t.Errorf("Open(%q): %v, want InvalidError of url", text, err)
		} else if strings.Contains(err.Error(), "hunter") {
			t.Errorf("Open(%q) tells the password: %v", text, err)
		}
	}
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range map[string]string{"wrong password": u.Host, "nobody there": "127.0.0.1:1"} {
		u.User, u.Host = url.UserPassword("", secret), host
		for _, query := range []string{"", "master_set=main&sentinel_password=hunter%32", "addr=127.0.0.1:2"} {
			u.RawQuery = query
			if c, err := redis.Open(t.Context(), u.String(), redis.Options{}); c != nil || err == nil || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%s, %q: %v", name, query, err)
			}
		}
	}
}

func TestOpenUnsafe(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "valkey-server"} {
		for settings, safe := range map[string]bool{
			"maxmemory 0\nmaxmemory-policy allkeys-lru":    true,
			"maxmemory 1gb\nmaxmemory-policy noeviction":   true,
			"maxmemory 1gb\nmaxmemory-policy allkeys-lru":  false,
			"maxmemory 1gb\nmaxmemory-policy volatile-ttl": false,
		} {
			server := testenv.StartRedis(t, program, settings)
			c, err := redis.Open(t.Context(), server.URL(), redis.Options{Timeout: 5 * time.Second})
			if (err == nil) != safe || !safe && !errors.Is(err, redis.ErrUnsafe) {
				t.Errorf("%s, %q: %v", program, settings, err)
			}
			if c != nil {
				c.Close()
			}
			if err := dial(t, server.URL(), redis.Options{AllowUnsafe: true}).Ping(t.Context()); err != nil {
				t.Errorf("%s, %q, allowed: %v", program, settings, err)
			}
		}
	}
}

// TestOpenTLS speaks TLS with a server, by a name that its certificate has and one it has not.
func TestOpenTLS(t *testing.T) {
	t.Parallel()
	port := testenv.FreeAddr(t)
	port = port[strings.LastIndexByte(port, ':')+1:]
	server := testenv.StartRedis(t, "redis-server", "tls-port "+port, "tls-auth-clients no",
		"tls-cert-file "+filepath.Join(certificate, "cert.pem"), "tls-key-file "+filepath.Join(certificate, "key.pem"))
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme, u.Host = "rediss", "127.0.0.1:"+port
	if err := dial(t, u.String(), redis.Options{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	u.Host = "localhost:" + port
	if c, err := redis.Open(t.Context(), u.String(), redis.Options{}); c != nil || err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another name: %v", err)
	}
	u.Scheme, u.Host = "redis", "127.0.0.1:"+port
	if c, err := redis.Open(t.Context(), u.String(), redis.Options{}); c != nil || err == nil {
		t.Errorf("without TLS: %v", err)
	}
	u.Scheme, u.Host = "rediss", server.Addr()
	if c, err := redis.Open(t.Context(), u.String(), redis.Options{}); c != nil || err == nil {
		t.Errorf("a server without TLS: %v", err)
	}
}

func TestClientClose(t *testing.T) {
	t.Parallel()
	c := dial(t, testenv.Valkey(t), redis.Options{})
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	c.Close()
	c.Close()
	if err := c.Ping(t.Context()); err == nil {
		t.Error("a closed client answers")
	}
}

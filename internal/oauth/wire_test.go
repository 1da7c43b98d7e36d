// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/oauth"
)

// A signed request covers the form: the signature counts, once, and for this body alone.
func TestIntrospectSigned(t *testing.T) {
	t.Parallel()
	h := open(t)
	service := h.key(gatehouse.NewKey{Schemes: []string{"httpsig"}, Scopes: gatehouse.Scopes{gatehouse.ScopeKeysVerify}})
	secret, err := httpsig.HMACKey([]byte(service.Secret.Reveal()))
	h.must(err)
	signer := &httpsig.Signer{KeyID: service.Key.ID, Key: secret, Now: h.clock.Now}
	body := form("token", h.with("read").Token.Reveal())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+look, nil)
	h.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.must(signer.SignRequest(req, []byte(body)))
	var fields header
	for name, v := range req.Header {
		fields = append(fields, name, v[0])
	}
	h.refused("another body", h.post(look, fields, body+"x"), 401, "invalid_token")
	if r := h.post(look, fields, body); r.field("active") != true {
		t.Errorf("%d %s", r.status, r.body)
	}
	h.refused("again", h.post(look, fields, body), 401, "invalid_token")
}

// A proxy may send the target in the absolute form: the path is the same.
func TestAbsoluteTarget(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.key(gatehouse.NewKey{Paths: []string{tokens}})
	proxy, err := url.Parse(h.server.URL)
	h.must(err)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://id.example"+tokens, strings.NewReader(grant))
	h.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-Proto", "https")
	req.SetBasicAuth(c.Key.ID, c.Secret.Reveal())
	resp, err := transport.RoundTrip(req)
	h.must(err)
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s, %v", resp.StatusCode, b, err)
	}
}

// down is a limiter, and tokens, that fail.
type down struct {
	gatehouse.Limiter
	oauth.Tokens
	err error
}

func (d down) Take(context.Context, string, []gatehouse.Limit) (bool, time.Duration, error) {
	return false, 0, d.err
}

func (d down) Mint(context.Context, oauth.Grant) (string, time.Time, error) {
	return "", time.Time{}, d.err
}

func (d down) Read(context.Context, string) (oauth.Claims, bool, error) {
	return oauth.Claims{}, true, d.err
}

// What fails besides the store is no answer either, and says nothing of itself.
func TestFailures(t *testing.T) {
	t.Parallel()
	dead := gatehouse.Unavailable("ask", errors.New("a cause that clients must not see"))
	noThrottle := func(c *oauth.Config) { c.Limiter = down{err: dead} }
	noTokens := func(err error) func(*oauth.Config) { return func(c *oauth.Config) { c.Tokens = down{err: err} } }
	for _, row := range []struct {
		name   string
		spoil  func(*oauth.Config)
		paths  []string
		status int
		code   string
	}{
		{"limiter", noThrottle, []string{tokens, look, end}, 503, "temporarily_unavailable"},
		{"tokens", noTokens(dead), []string{tokens, look}, 503, "temporarily_unavailable"},
		{"deadline", noTokens(context.DeadlineExceeded), []string{tokens, look}, 503, "temporarily_unavailable"},
		{"conflict", noTokens(gatehouse.ErrConflict), []string{tokens}, 503, "temporarily_unavailable"},
		{"ours", noTokens(errors.New("a cause that clients must not see")), []string{tokens, look}, 500, "server_error"},
	} {
		h := open(t, row.spoil)
		c := h.with(gatehouse.ScopeKeysVerify)
		for _, path := range row.paths {
			r := h.post(path, basic(c.Key.ID, c.Secret.Reveal()), grant+"&token=eyJ.x.x")
			h.refused(row.name+" "+path, r, row.status, row.code)
			if strings.Contains(r.body, "cause") || !strings.Contains(h.log.String(), path) {
				t.Errorf("%s %s: %s, log %q", row.name, path, r.body, h.log)
			}
		}
	}
}

// The signing keys that the description points to are those of the tokens, for a client
// that knows nothing but the standards.
func TestTokenAgainstJWKS(t *testing.T) {
	t.Parallel()
	h := open(t)
	head, _ := h.claims(h.post(tokens, func() header { c := h.with(); return basic(c.Key.ID, c.Secret.Reveal()) }(), grant))
	set, _ := h.keys.JWKS()
	var got struct {
		Keys []struct{ Kid, Alg, Kty, D string }
	}
	h.must(json.Unmarshal(set, &got))
	if len(got.Keys) != 1 || got.Keys[0].Kid != head["kid"] || got.Keys[0].Alg != "ES256" || got.Keys[0].D != "" {
		t.Errorf("%s, head %v", set, head)
	}
}

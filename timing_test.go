// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package gatehouse_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse"
	lib "github.com/seed14544106/gatehouse/httpsig"
	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/scheme/shield"
	"github.com/seed14544106/gatehouse/store/sqlite"
)

// TestUnknownKeyTakesAsLong compares the time of a refusal for an unknown key id with
// that for a known one under a wrong secret, by Welch's t. The null control is the same
// for two unknown ids: on any machine it shows what t chance alone gives. The test is
// of no time, but of a ratio within one run: medians over blocks of |t|, and the key's
// may be ten times the control's at most. That the measure can see a difference is shown
// by the store's own look-up, which is what verification hides.
//
// It cannot run beside other tests of the package. Under the race detector, which makes
// every access to memory slow and some slower than others, it runs itself without.
func TestUnknownKeyTakesAsLong(t *testing.T) {
	if testenv.Race {
		// Compiled as testenv.Binary is, so that it is compiled once.
		cmd := exec.CommandContext(t.Context(), "go", "test", "-trimpath", "-vet=off", "-count=1", "-v", "-run", "^TestUnknownKeyTakesAsLong$", ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestUnknownKeyTakesAsLong") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for name, o := range map[string]sqlite.Options{"records in memory": {}, "records read": {Cache: -1}} {
		h := newHouseOn(t, time.Now, o)
		for scheme, requests := range timedRequests(t, h) {
			t.Run(scheme+", "+name, func(t *testing.T) {
				verify := func(r *gatehouse.Request) {
					if d, err := h.Verify(context.Background(), r); err != nil || d.Reason != gatehouse.ReasonInvalidCredential {
						t.Fatal(d.Reason, err)
					}
				}
				key, control := compare(t, requests, verify)
				t.Logf("|t| of known against unknown %.2f, of the null control %.2f", key, control)
				if key > 10*max(control, 1) {
					t.Errorf("an unknown key id can be told by time: |t| %.1f, null control %.1f", key, control)
				}
			})
		}
		if o.Cache == 0 {
			key, control := compare(t, timedRequests(t, h)["bearer"], func(r *gatehouse.Request) {
				_, _ = h.store.Lookup(context.Background(), r.Target)
			})
			if key < 10*max(control, 1) {
				t.Errorf("a look-up without verification shows |t| %.1f, null control %.1f: the measure sees nothing", key, control)
			}
		}
	}
}

// three are a request of a known key with a wrong secret, and two of unknown keys. Their
// target is the key id.
type three [3]*gatehouse.Request

// timedRequests are the three for each scheme.
func timedRequests(t *testing.T, h *house) map[string]three {
	t.Helper()
	_, private, _ := ed25519.GenerateKey(nil)
	public, _, _ := ed25519.GenerateKey(nil)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	edwards, err := lib.Ed25519PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	wrong := gatehouse.NewSecret("another secret of forty-four characters, same")
	mac, err := lib.HMACKey([]byte(wrong.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 64)
	out := map[string]three{}
	for name, row := range map[string]struct {
		key     gatehouse.NewKey
		present func(id string, c gatehouse.Created) *gatehouse.Request
	}{
		"bearer": {gatehouse.NewKey{Schemes: []string{"bearer"}}, func(id string, other gatehouse.Created) *gatehouse.Request {
			return &gatehouse.Request{Header: gatehouse.Header{"Authorization": {"Bearer mycompany_" + id + "_51FwqftsmMDHHbJAMEXXHCgG"}}}
		}},
		"barong": {gatehouse.NewKey{Schemes: []string{"barong"}}, func(id string, other gatehouse.Created) *gatehouse.Request {
			other.Key.ID, other.Secret = id, wrong
			return triple(other, time.Now())
		}},
		"shield": {gatehouse.NewKey{Schemes: []string{"shield"}}, func(id string, _ gatehouse.Created) *gatehouse.Request {
			return &gatehouse.Request{
				Header: gatehouse.Header{"Authorization": {"HMAC-SHA256 " + id + ":" + shield.Sign(wrong.Reveal(), body)}},
				Body:   gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body},
			}
		}},
		"httpsig, MAC": {gatehouse.NewKey{Schemes: []string{"httpsig"}}, func(id string, _ gatehouse.Created) *gatehouse.Request {
			return signed(t, id, mac, time.Now(), body, nil)
		}},
		"httpsig, MAC for a public key": {gatehouse.NewKey{Schemes: []string{"httpsig"}, PublicKey: pemText(der)}, func(id string, _ gatehouse.Created) *gatehouse.Request {
			return signed(t, id, mac, time.Now(), body, nil)
		}},
		"httpsig, ed25519": {gatehouse.NewKey{Schemes: []string{"httpsig"}, PublicKey: pemText(der)}, func(id string, _ gatehouse.Created) *gatehouse.Request {
			return signed(t, id, edwards, time.Now(), body, nil)
		}},
	} {
		c := h.key(t, row.key)
		ids := [3]string{c.Key.ID, otherID(c.Key.ID), otherID(c.Key.ID)}
		var rs three
		for i, id := range ids {
			rs[i] = row.present(id, c)
			rs[i].Target = id
			if len(rs[i].Header["Signature"]) > 0 {
				rs[i].Target = "/orders?x=1"
			}
		}
		out[name] = rs
	}
	return out
}

func pemText(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// otherID is an id of the same form that nobody has.
func otherID(id string) string {
	b := []byte(id)
	for i := range b {
		b[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	return string(b)
}

// compare times the known and the first unknown request, and the two unknown ones, in
// random turns, and returns the medians over blocks of Welch's |t|.
func compare(t *testing.T, rs three, run func(*gatehouse.Request)) (key, control float64) {
	t.Helper()
	const blocks = 9
	samples := 400
	if len(rs[0].Header["Signature"]) > 0 && len(rs[0].Header["Signature"][0]) > 64 {
		samples = 100 // public keys are slow to check, above all under the race detector
	}
	for range samples / 2 {
		for _, r := range rs {
			run(r)
		}
	}
	var keys, controls []float64
	for range blocks {
		var took [3][]float64
		for range samples {
			for _, i := range rand.Perm(3) {
				begin := time.Now()
				run(rs[i])
				took[i] = append(took[i], float64(time.Since(begin)))
			}
		}
		keys = append(keys, welch(took[0], took[1]))
		controls = append(controls, welch(took[1], took[2]))
	}
	return median(keys), median(controls)
}

// welch is |t| of two samples without their slowest tenth, which is the machine's.
func welch(a, b []float64) float64 {
	m1, v1 := moments(a)
	m2, v2 := moments(b)
	return math.Abs(m1-m2) / math.Sqrt(v1+v2)
}

// moments are the mean and its variance.
func moments(v []float64) (mean, variance float64) {
	v = slices.Sorted(slices.Values(v))
	v = v[:len(v)*9/10]
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v)-1) / float64(len(v))
	}
	return mean, variance
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/url"
	"testing"
	"time"
)

var rfcSecret = []byte("12345678901234567890") // of RFC 4226 and RFC 6238

func TestHOTPVectors(t *testing.T) {
	t.Parallel()
	// RFC 4226 appendix D.
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		if got := TOTPCode(rfcSecret, int64(counter)); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	// RFC 6238 appendix B, SHA-1, eight digits.
	for _, v := range []struct {
		seconds int64
		step    int64
		code    string
	}{
		{59, 0x1, "94287082"},
		{1111111109, 0x23523EC, "07081804"},
		{1111111111, 0x23523ED, "14050471"},
		{1234567890, 0x273EF07, "89005924"},
		{2000000000, 0x3F940AA, "69279037"},
		{20000000000, 0x27BC86AA, "65353130"},
	} {
		step := TOTPStep(time.Unix(v.seconds, 0))
		if step != v.step {
			t.Errorf("%d s: step %#x, want %#x", v.seconds, step, v.step)
		}
		if got := hotp(rfcSecret, uint64(step), 8); got != v.code {
			t.Errorf("%d s: %s, want %s", v.seconds, got, v.code)
		}
	}
}

func TestTOTPStep(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]int64{-31: -2, -30: -1, -1: -1, 0: 0, 29: 0, 30: 1} {
		if got := TOTPStep(time.Unix(seconds, 999_999_999)); got != want {
			t.Errorf("%d s: step %d, want %d", seconds, got, want)
		}
	}
}

func TestMatchTOTP(t *testing.T) {
	t.Parallel()
	now := time.Unix(1111111111, 0)
	current := TOTPStep(now)
	for d := int64(-3); d <= 3; d++ {
		step, ok := MatchTOTP(rfcSecret, TOTPCode(rfcSecret, current+d), now)
		if want := -1 <= d && d <= 1; ok != want || ok && step != current+d || !ok && step != 0 {
			t.Errorf("step %+d: got %d, %v", d, step-current, ok)
		}
	}
}

func TestMatchTOTPIsStrict(t *testing.T) {
	t.Parallel()
	now := time.Unix(1111111111, 0) // whose code is 050471
	for _, code := range []string{
		"", "05047", "50471", "0504710", " 050471", "050471 ", "050471\n", "050 71", "050-71", "+50471", "-50471",
		"05047a", "0x5047", "٠٥٠٤٧١", "050471\x00", "14050471",
	} {
		if _, ok := MatchTOTP(rfcSecret, code, now); ok {
			t.Errorf("%q is accepted", code)
		}
	}
	if _, ok := MatchTOTP(rfcSecret, "050471", now); !ok {
		t.Error("the right code is refused")
	}
}

func TestMatchTOTPRefusesWeakSecrets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1111111111, 0)
	for _, secret := range [][]byte{nil, {}, rfcSecret[:15]} {
		if _, ok := MatchTOTP(secret, TOTPCode(secret, TOTPStep(now)), now); ok {
			t.Errorf("a secret of %d bytes is accepted", len(secret))
		}
	}
}

// Steps 910737 and 910738 of the RFC's secret have the same code. If the older were
// reported, the code would be good twice: once for each.
func TestMatchTOTPOfTwinSteps(t *testing.T) {
	t.Parallel()
	const older, newer, code = 910737, 910738, "911617"
	for now := int64(older); now <= newer+1; now++ {
		step, ok := MatchTOTP(rfcSecret, code, time.Unix(now*30, 0))
		if !ok || step != newer {
			t.Errorf("at step %d: %d, %v, want %d", now, step, ok, newer)
		}
	}
}

func TestNewTOTPSecret(t *testing.T) {
	t.Parallel()
	a, b := NewTOTPSecret(), NewTOTPSecret()
	if len(a) != 20 || string(a) == string(b) {
		t.Errorf("secrets of %d bytes, equal: %v", len(a), string(a) == string(b))
	}
}

func TestTOTPURI(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for _, v := range []struct{ issuer, account, want string }{
		{
			"Barong", "admin@barong.io",
			"otpauth://totp/Barong:admin@barong.io?algorithm=SHA1&digits=6&issuer=Barong&period=30&secret=" + secret,
		},
		{
			"My Exchange: EU&UK", "ann+b/c?d#e%40@x.org",
			"otpauth://totp/My%20Exchange%3A%20EU%26UK:ann%2Bb%2Fc%3Fd%23e%2540@x.org" +
				"?algorithm=SHA1&digits=6&issuer=My%20Exchange%3A%20EU%26UK&period=30&secret=" + secret,
		},
	} {
		got := TOTPURI(v.issuer, v.account, rfcSecret)
		if got != v.want {
			t.Errorf("got  %s\nwant %s", got, v.want)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if u.Path != "/"+v.issuer+":"+v.account || u.Query().Get("issuer") != v.issuer {
			t.Errorf("a reader finds %q and %q", u.Path, u.Query().Get("issuer"))
		}
	}
	if got := TOTPURI("a", "b", rfcSecret[:16]); got[len(got)-1] == '=' {
		t.Errorf("padded: %s", got)
	}
}

func FuzzMatchTOTP(f *testing.F) {
	f.Add(rfcSecret, "050471", int64(1111111111))
	f.Add(rfcSecret, " 050471", int64(1111111111))
	f.Add([]byte{}, "", int64(-1))
	f.Add(rfcSecret, "٠٥٠٤٧١", int64(0))
	f.Fuzz(func(t *testing.T, secret []byte, code string, seconds int64) {
		now := time.Unix(seconds, 0)
		current := TOTPStep(now)
		want, found := int64(0), false
		for step := current - 1; step <= current+1 && len(secret) >= 16; step++ {
			if TOTPCode(secret, step) == code {
				want, found = step, true
			}
		}
		step, ok := MatchTOTP(secret, code, now)
		if step != want || ok != found {
			t.Errorf("%d, %v, want %d, %v", step, ok, want, found)
		}
	})
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed14544106/gatehouse/internal/testenv"
	"github.com/seed14544106/gatehouse/state/redis"
)

// certificate is the folder of a certificate for 127.0.0.1, which the system's roots of these
// tests hold, and of its key.
var certificate string

func TestMain(m *testing.M) {
	var err error
	if certificate, err = certify(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := testenv.Main(m)
	_ = os.RemoveAll(certificate)
	os.Exit(code)
}

// certify makes the certificate, readable for the account that servers run as.
func certify() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "gatehouse-tls-"); err != nil {
		return "", err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "cert.pem")); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// dial opens a client that ends with the test.
func dial(tb testing.TB, url string, o redis.Options) *redis.Client {
	tb.Helper()
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second // of a loaded machine
	}
	c, err := redis.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// await calls ok until it returns nil, for half a minute at most.
func await(t *testing.T, ok func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err := ok(); err != nil; err = ok() {
		select {
		case <-ctx.Done():
			t.Fatal(errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

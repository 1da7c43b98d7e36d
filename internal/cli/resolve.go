// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/seed14544106/gatehouse/client/sign"
)

var errResolve = usageError{errors.New("--resolve is not of the form HOST:PORT:ADDR, such as api.example.com:443:127.0.0.1")}

// options are how the request is sent: where an entry of --resolve is for the URL, straight
// to its address, past every proxy. Entries of which none is for the URL are wrong use: the
// key would go where nobody meant it to.
func (c *curlCommand) options() (sign.Options, error) {
	o := sign.Options{PlainHTTP: c.PlainHTTP}
	u, err := url.Parse(c.URL)
	if err != nil || len(c.Resolve) == 0 {
		return o, nil // request tells what is wrong with the URL
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var to string
	for _, entry := range c.Resolve {
		host, rest, _ := strings.Cut(entry, ":")
		number, text, _ := strings.Cut(rest, ":")
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
		if err != nil || host == "" || number == "" {
			return o, errResolve
		}
		if strings.EqualFold(host, u.Hostname()) && number == port {
			to = net.JoinHostPort(addr.String(), port)
			o.PlainHTTP = o.PlainHTTP || addr.Unmap().IsLoopback() // it stays on this machine
		}
	}
	if to == "" {
		return o, usageError{errors.New("no --resolve is for the host and port of the URL")}
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.Proxy = nil
	base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	o.Base = base
	return o, nil
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// The environment variables that say which server a command goes to, and with what. There
// is no flag for the token: a command line can be seen by every user of the machine.
const (
	envServer      = "GATEHOUSE_SERVER"
	envProfile     = "GATEHOUSE_PROFILE"
	envServerToken = "GATEHOUSE_TOKEN"
)

// connect finds the server. Flags come before the environment, which comes before the
// profile in use; the data directory before a server elsewhere.
func (e *env) connect(profile string) (*client.Client, error) {
	server, from := e.server, "--server"
	if server == "" && profile == "" && e.data == "" {
		server, profile, from = e.variable(envServer), e.variable(envProfile), envServer
	}
	if server != "" && profile != "" {
		return nil, usageError{errors.New("--server and --profile (GATEHOUSE_SERVER and GATEHOUSE_PROFILE) are not used together")}
	}
	where := remote{server: server, from: from, token: gatehouse.NewSecret(e.variable(envServerToken)), tokenFrom: envServerToken}
	if server == "" && (profile != "" || e.data == "") {
		var err error
		if where, err = e.profile(profile); err != nil {
			return nil, err
		}
	}
	if where.server == "" {
		c := client.Socket(filepath.Join(cmp.Or(e.data, "./gatehouse-data"), api.SocketName))
		return c.InTenant(e.tenant), nil
	}
	if e.tenant != "" {
		return nil, usageError{errors.New("--tenant is for the admin socket only: elsewhere the tenant is that of the token")}
	}
	if where.token.Empty() {
		return nil, usageError{errors.New("a token is needed: set GATEHOUSE_TOKEN, or keep it in a profile (see profile set)")}
	}
	e.to = where
	c, err := client.New(client.Options{Server: where.server, Token: where.token})
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", where.from, err)}
	}
	return c, nil
}

// inTenant is the flag of the tenant, for a command that is told to people.
func (e *env) inTenant() string {
	if e.tenant == "" {
		return ""
	}
	return "--tenant " + e.tenant + " "
}

// remote is a server elsewhere and the token for it.
type remote struct {
	server    string // empty: none, but the admin socket
	token     gatehouse.Secret
	from      string // where the server is written
	tokenFrom string // likewise the token
	profile   string // empty: none is used
}

// profile reads a profile; without a name the one in use, which may be none. The token of
// the environment may be another server's: it counts where the profile has none.
func (e *env) profile(name string) (remote, error) {
	path, err := profilesPath()
	if err != nil {
		if name == "" {
			return remote{}, nil // there are no profiles where nobody has a home
		}
		return remote{}, err
	}
	all, err := readProfiles(path)
	if err != nil {
		return remote{}, err
	}
	if name = cmp.Or(name, all.Use); name == "" {
		return remote{}, nil
	}
	p, ok := all.Profiles[name]
	if !ok {
		return remote{}, usageError{fmt.Errorf("there is no such profile in %s: profile list says which there are, profile set makes one", path)}
	}
	where := remote{server: p.Server, profile: name, from: "profile " + name, token: gatehouse.NewSecret(p.Token), tokenFrom: "profile " + name}
	if p.Token == "" {
		where.token, where.tokenFrom = gatehouse.NewSecret(e.variable(envServerToken)), envServerToken
	}
	return where, nil
}

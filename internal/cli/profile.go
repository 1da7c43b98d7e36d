// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
)

type profileCommand struct {
	Set    profileSet    `cmd:"" secret:"a token is read from standard input" help:"Keep a server, and with --token-stdin its token, under a name."`
	List   profileList   `cmd:"" help:"List profiles. Tokens are never shown."`
	Use    profileUse    `cmd:"" help:"Go to a profile's server from now on, also where a server runs on this machine, unless --data, --server, --profile or their variables say otherwise."`
	Remove profileRemove `cmd:"" help:"Forget a profile and its token."`
}

// profiles is the file of profiles.
type profiles struct {
	Use      string             `toml:"use"` // empty: none
	Profiles map[string]profile `toml:"profiles"`
}

type profile struct {
	Server string `toml:"server"`
	Token  string `toml:"token"` // empty: that of the environment
}

var (
	profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	plainText   = regexp.MustCompile(`^[!#-\[\]-~]*$`) // what a TOML text holds as it is
)

func profilesPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find profiles: %w", err)
	}
	return filepath.Join(dir, "gatehouse", "profiles.toml"), nil
}

// readProfiles reads the file; without it there are none. Its errors tell nothing of
// what it holds.
func readProfiles(path string) (profiles, error) {
	out := profiles{Profiles: map[string]profile{}}
	_, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	if err := config.Decode(path, &out); err != nil {
		return out, err
	}
	if out.Profiles == nil {
		out.Profiles = map[string]profile{}
	}
	return out, nil
}

// write replaces the file as a whole; only its owner may read it.
func (p *profiles) write(path string) error {
	var text strings.Builder
	if p.Use != "" {
		fmt.Fprintf(&text, "use = %q\n", p.Use)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Profiles)) {
		one := p.Profiles[name]
		fmt.Fprintf(&text, "\n[profiles.%s]\nserver = %q\n", name, one.Server)
		if one.Token != "" {
			fmt.Fprintf(&text, "token = %q\n", one.Token)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write profiles: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".profiles-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write profiles: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write profiles: %w", err)
	}
	return nil
}

// editProfiles changes the file.
func editProfiles(edit func(*profiles) error) error {
	path, err := profilesPath()
	if err != nil {
		return err
	}
	all, err := readProfiles(path)
	if err != nil {
		return err
	}
	if err := edit(&all); err != nil {
		return err
	}
	return all.write(path)
}

var errNoProfile = usageError{errors.New("there is no such profile; see profile list")}

type profileSet struct {
	Name       string `arg:"" help:"Its name: 1 to 63 of a-z, 0-9, - and _. The URL is --server's."`
	TokenStdin bool   `help:"Read the token from standard input. Without it: GATEHOUSE_TOKEN."`
}

func (c *profileSet) Run(e *env) error {
	if !profileName.MatchString(c.Name) {
		return usageError{errors.New("a profile's name is 1 to 63 of a-z, 0-9, - and _")}
	}
	p := profile{Server: e.server}
	if p.Server == "" {
		return usageError{errors.New("--server is missing: the URL of the server")}
	}
	if c.TokenStdin {
		var err error
		if p.Token, err = e.readSecret("the token"); err != nil {
			return err
		}
	}
	// What a client cannot be made of now it cannot be made of later; for want of a token any
	// will do.
	if _, err := client.New(client.Options{Server: p.Server, Token: gatehouse.NewSecret(cmp.Or(p.Token, "x"))}); err != nil {
		return usageError{err}
	}
	if !plainText.MatchString(p.Server + p.Token) {
		return usageError{errors.New("URL and token may not hold a quotation mark or a backslash")}
	}
	return editProfiles(func(all *profiles) error {
		all.Profiles[c.Name] = p
		return nil
	})
}

type profileList struct{}

// shownProfile is a profile without its token.
type shownProfile struct {
	Name   string `json:"name"`
	Server string `json:"server"`
	Token  bool   `json:"token"` // it has one
	Used   bool   `json:"used"`
}

func (c *profileList) Run(e *env) error {
	path, err := profilesPath()
	if err != nil {
		return err
	}
	all, err := readProfiles(path)
	if err != nil {
		return err
	}
	var shown []shownProfile
	for _, name := range slices.Sorted(maps.Keys(all.Profiles)) {
		p := all.Profiles[name]
		shown = append(shown, shownProfile{name, p.Server, p.Token != "", name == all.Use})
	}
	return print(e, shown, []string{"NAME", "SERVER", "TOKEN", "USED"}, func(p *shownProfile) []string {
		return []string{p.Name, p.Server, yesNo(p.Token), yesNo(p.Used)}
	})
}

type profileUse struct {
	Name string `arg:"" optional:"" help:"Name. Default: no profile is used any more."`
}

func (c *profileUse) Run(e *env) error {
	text := "No profile is used: commands go to the server on this machine."
	err := editProfiles(func(all *profiles) error {
		p, ok := all.Profiles[c.Name]
		if !ok && c.Name != "" {
			return errNoProfile
		}
		if all.Use = c.Name; ok {
			text = "Every command goes to " + p.Server + " from now on, also beside a server on this machine. For that one: --data DIR, or once and for all gatehouse profile use."
		}
		return nil
	})
	if err == nil {
		_, _ = fmt.Fprintln(e.Err, printable(text))
	}
	return err
}

type profileRemove struct {
	Name string `arg:"" help:"Name."`
}

func (c *profileRemove) Run() error {
	return editProfiles(func(all *profiles) error {
		if _, ok := all.Profiles[c.Name]; !ok {
			return errNoProfile
		}
		delete(all.Profiles, c.Name)
		if all.Use == c.Name {
			all.Use = ""
		}
		return nil
	})
}

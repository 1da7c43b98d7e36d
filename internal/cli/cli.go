// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: one file per subcommand.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed14544106/gatehouse/client"
	"github.com/seed14544106/gatehouse/internal/config"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitDenied = 3
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// commands is the command line as kong reads it.
type commands struct {
	Data    string `help:"Directory of the server's data (default ./gatehouse-data). Commands go through the admin socket in it, unless --server, --profile or profile use says otherwise." placeholder:"DIR" env:"GATEHOUSE_DATA"`
	Server  string `help:"Go to the server at this URL, with the token in GATEHOUSE_TOKEN. Without it: GATEHOUSE_SERVER." placeholder:"URL"`
	Profile string `help:"Go to the server of a profile. Without it: GATEHOUSE_PROFILE, else what profile use says, also beside a server on this machine, unless --data is given." placeholder:"NAME"`
	Tenant  string `help:"Act in this tenant; through the admin socket only. Elsewhere the tenant is that of the token." placeholder:"NAME"`
	Format  string `help:"How to print: table, json with one object a line, or yaml with one document an object." enum:"table,json,yaml" default:"table"`

	Serve          serveCommand          `cmd:"" help:"Run the server."`
	Proxy          proxyCommand          `cmd:"" help:"Run the server with a proxy in front of services."`
	Backup         backupCommand         `cmd:"" help:"Copy the database of the data directory to a new file, also while the server runs. The keyring is not in it."`
	Migrate        migrateCommand        `cmd:"" help:"Bring the database up to this version of the program, as serve does by itself."`
	Cluster        clusterCommand        `cmd:"" help:"Look at the processes that share a database."`
	Key            keyCommand            `cmd:"" help:"Manage API keys."`
	Account        accountCommand        `cmd:"" help:"Manage accounts."`
	ServiceAccount serviceAccountCommand `cmd:"" help:"Manage service accounts: principals that never sign in."`
	TenantCommand  tenantCommand         `cmd:"" name:"tenant" help:"Manage tenants."`
	Rules          rulesCommand          `cmd:"" help:"Show, replace, check and explain the route rules."`
	Audit          auditCommand          `cmd:"" help:"Read and check the audit log."`
	Usage          usageCommand          `cmd:"" help:"Show how often the tenant's keys were verified over time."`
	Hygiene        hygieneCommand        `cmd:"" help:"List keys that want looking after."`
	Revocations    revocationsCommand    `cmd:"" help:"List the keys, principals and tenants that ended lately, as services that check assertions follow it."`
	SigningKey     signingKeyCommand     `cmd:"" help:"Manage the keys that assertions are signed with."`
	Self           selfCommand           `cmd:"" help:"Say who the command line is to the server, or end the key it uses."`
	Import         importCommand         `cmd:"" help:"Take over keys from another system."`
	Sign           signCommand           `cmd:"" secret:"the key comes from --key FILE or the environment" help:"Print the header that presents a key, for another program to send."`
	Curl           curlCommand           `cmd:"" secret:"the key comes from --key FILE or the environment" help:"Send a request with a key, as curl would. Exit code 3: 401 or 403."`
	Keyring        keyringCommand        `cmd:"" help:"Manage the keys that secrets are encrypted with. From afar they can be listed only."`
	Config         configCommand         `cmd:"" help:"Show and check the configuration."`
	ProfileCommand profileCommand        `cmd:"" name:"profile" help:"Manage profiles: servers and their tokens, by name."`
	Openapi        openapiCommand        `cmd:"" help:"Print the description of the API (OpenAPI 3.1)."`
	Completion     completionCommand     `cmd:"" help:"Print the completion of this command line for a shell."`
	Version        versionCommand        `cmd:"" help:"Print the version."`
}

// env is what a command runs in.
type env struct {
	Streams
	ctx     context.Context
	environ []string
	version string
	data    string
	server  string // of the flag
	tenant  string // likewise
	to      remote // the server of the command, once it is looked for
	format  string
}

// errDenied makes the exit code 3; what there is to say has been said.
var errDenied = errors.New("denied")

// usageError makes the exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs one command and returns its exit code: 0 done, 1 failed, 2 wrong use,
// 3 denied. SIGINT and SIGTERM end its context.
func Main(args []string, s Streams, environ []string, version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c commands
	defaults, err := config.Load("", nil, nil)
	if err != nil {
		_, _ = fmt.Fprintln(s.Err, "gatehouse:", err)
		return exitFailed
	}
	exited := -1
	parser, err := kong.New(&c, kong.Name("gatehouse"), kong.Description("A self-hosted API-key authority."),
		kong.Vars{"proxyListen": proxyListen, "listen": defaults.Listen, "opsListen": defaults.OpsListen}, kong.Writers(s.Out, s.Err), kong.UsageOnError(), kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		_, _ = fmt.Fprintln(s.Err, "gatehouse:", err)
		return exitFailed
	}
	parser.Model.Detail = exitCodes
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		return misuse(parser, s.Err, err)
	}
	e := &env{Streams: s, ctx: ctx, environ: environ, version: version, data: c.Data, server: c.Server, tenant: c.Tenant, format: c.Format}
	// A command that takes a client is for a server; the others do not look for one.
	connect := func() (*client.Client, error) { return e.connect(c.Profile) }
	k.Bind(connect)
	if err := k.BindToProvider(connect); err != nil {
		return e.code(err)
	}
	return e.code(k.Run(e))
}

// code prints what went wrong and turns it into an exit code.
func (e *env) code(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errDenied):
		return exitDenied
	}
	e.complain(err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if p, ok := errors.AsType[*client.Error](err); ok && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		return exitDenied
	}
	return exitFailed
}

// complain prints what went wrong. What a server says of it is one line, so that it cannot
// pass for what the command line says.
func (e *env) complain(err error) {
	text := err.Error()
	if p, ok := errors.AsType[*client.Error](err); ok {
		text = strings.ReplaceAll(text, p.Error(), printable(p.Error()))
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	_, _ = fmt.Fprintln(e.Err, "gatehouse:", strings.Join(lines, "\n"))
	if text := e.advice(err); text != "" {
		_, _ = fmt.Fprintln(e.Err, printable(text))
	}
}

// readLines reads standard input, for what must not stand on a command line. Blank
// lines are dropped; no line at all, and more than maxInput bytes, is wrong use.
func (e *env) readLines(what string) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(e.In, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if len(b) > maxInput {
		return nil, usageError{fmt.Errorf("%s on standard input is longer than 64 KiB", what)}
	}
	var lines []string
	for line := range strings.SplitSeq(string(b), "\n") {
		if line = strings.TrimRight(line, "\r"); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, usageError{fmt.Errorf("%s is expected on standard input", what)}
	}
	return lines, nil
}

const maxInput = 64 << 10

// readSecret reads one line from standard input.
func (e *env) readSecret(what string) (string, error) {
	lines, err := e.readLines(what)
	if err != nil {
		return "", err
	}
	if len(lines) > 1 {
		return "", usageError{fmt.Errorf("%s is expected as one line", what)}
	}
	return lines[0], nil
}

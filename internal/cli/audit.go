// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

type auditCommand struct {
	List   auditList   `cmd:"" help:"List the newest events."`
	Export auditExport `cmd:"" help:"Write events as JSON, one a line, oldest first."`
	Verify auditVerify `cmd:"" help:"Check the chain of events. Exit code 1: it is not sound, and each fault is told."`
}

// eventFilter selects events.
type eventFilter struct {
	Subject string   `help:"Events about this record." placeholder:"ID"`
	Verb    []string `help:"Events of this verb, such as key.create. May be repeated: any of them." placeholder:"VERB"`
	Outcome string   `help:"Events that ended so: succeeded, failed or denied." enum:"succeeded,failed,denied," default:"" placeholder:"OUTCOME"`
	Actor   string   `help:"Events that this account or key caused." placeholder:"ID"`
	From    string   `help:"Events since: a duration back from now, or a time." placeholder:"WHEN"`
	To      string   `help:"Events before." placeholder:"WHEN"`
}

func (f *eventFilter) query() (q client.EventQuery, err error) {
	q = client.EventQuery{Subject: f.Subject, Verbs: f.Verb, Outcome: f.Outcome, Actor: f.Actor}
	if q.From, err = past("from", f.From); err != nil {
		return q, err
	}
	q.To, err = past("to", f.To)
	return q, err
}

type auditList struct {
	eventFilter
	Limit int `help:"How many to list." default:"100"`
}

func (c *auditList) Run(e *env, cl *client.Client) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return usageError{errors.New("--limit is at least 1")}
	}
	var events []api.Event
	for ev, err := range cl.Events(e.ctx, q) {
		if err != nil {
			return err
		}
		if events = append(events, ev); len(events) == c.Limit {
			break
		}
	}
	return print(e, events, []string{"SEQ", "TIME", "ACTOR", "ADDRESS", "VERB", "SUBJECT", "OUTCOME", "CHANGES"}, func(ev *api.Event) []string {
		var fields []string
		for _, c := range ev.Changes {
			fields = append(fields, c.Field)
		}
		return []string{number64(ev.Seq), moment(&ev.Time), strings.TrimSpace(ev.Actor + " " + ev.ActorID), ev.Address, ev.Verb, ev.Subject, ev.Outcome, comma(fields)}
	})
}

type auditExport struct {
	eventFilter
	Out string `help:"File to write, mode 0600; it must not be there. Default: standard output." placeholder:"FILE"`
}

func (c *auditExport) Run(e *env, cl *client.Client) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	q.Oldest = true
	if c.Out == "" {
		_, err = export(e.Out, cl.Events(e.ctx, q))
		return err
	}
	f, err := os.OpenFile(filepath.Clean(c.Out), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	n, err := export(f, cl.Events(e.ctx, q))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name())) // half an export is none
	}
	_, _ = fmt.Fprintf(e.Err, "exported: %d events\n", n)
	return nil
}

// export writes events.
func export(out io.Writer, events iter.Seq2[api.Event, error]) (n int, err error) {
	w := bufio.NewWriter(out)
	for ev, err := range events {
		if err == nil {
			err = writeEvent(w, &ev)
		}
		if err != nil {
			return n, errors.Join(fmt.Errorf("export events: %w", err), w.Flush())
		}
		n++
	}
	if err := w.Flush(); err != nil {
		return n, fmt.Errorf("export events: %w", err)
	}
	return n, nil
}

func writeEvent(w *bufio.Writer, ev *api.Event) error {
	line, err := toJSON(ev)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

type auditVerify struct {
	File string `help:"Check this file, as audit export wrote it without filters, and ask no server. It must begin with the first event." placeholder:"FILE"`
	Seq  int64  `help:"An event that was noted earlier: the chain must go through it." placeholder:"N"`
	Hash string `help:"The hash of that event." placeholder:"HEX"`
}

func (c *auditVerify) Run(e *env, connect func() (*client.Client, error)) error {
	hash, err := hex.DecodeString(c.Hash)
	if err != nil || (c.Seq > 0) != (c.Hash != "") || c.Seq < 0 {
		return usageError{errors.New("--seq and --hash go together: a number from 1, and hex")}
	}
	if c.File != "" {
		chain, err := verifyFile(c.File, gatehouse.ChainPoint{Seq: c.Seq, Hash: hash})
		return e.chain(chain, err)
	}
	cl, err := connect()
	if err != nil {
		return err
	}
	chain, err := cl.VerifyChain(e.ctx, api.VerifyChain{Seq: c.Seq, Hash: strings.ToLower(c.Hash)})
	return e.chain(chain, err)
}

// chain prints what a check found. It fails where there is a fault.
func (e *env) chain(c api.Chain, err error) error {
	if err != nil {
		return err
	}
	if err := one(e, c, []string{"SOUND", "EVENTS", "SEQ", "HASH", "SINCE"}, func(c *api.Chain) []string {
		since := ""
		if c.Since > 0 {
			since = number64(c.Since)
		}
		return []string{yesNo(c.Sound), number64(c.Events), number64(c.Seq), c.Hash, since}
	}); err != nil {
		return err
	}
	if c.Since > 1 {
		_, _ = fmt.Fprintf(e.Err, "The signature vouches for the events from %d on. For the ones before only an event that was noted does.\n", c.Since)
	}
	if c.Sound {
		return nil
	}
	text := "the chain is not sound:"
	for _, f := range c.Faults {
		text += "\n" + printable(gatehouse.ChainFault(f).String())
	}
	return errors.New(text)
}

// faultLine is what is wrong with a line that readEvent reads, but another reader of the file
// may read otherwise.
const faultLine = "the line is not as it was exported"

// lineFaultsMost is how many of them are kept.
const lineFaultsMost = 100

// verifyFile checks the events of a file.
func verifyFile(path string, noted gatehouse.ChainPoint) (out api.Chain, err error) {
	f, err := os.Open(path)
	if err != nil {
		return out, fmt.Errorf("read events: %w", err)
	}
	defer func() { _ = f.Close() }()
	chain := gatehouse.Chain{Noted: noted}
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return api.Chain{}, fmt.Errorf("read events: %w", err)
		}
		ev, exact, err := readEvent(line)
		if err != nil {
			return api.Chain{}, fmt.Errorf("read events: %s: line %d: %w", path, n, err)
		}
		if !exact && len(out.Faults) < lineFaultsMost {
			out.Faults = append(out.Faults, api.ChainFault{Seq: ev.Seq, To: ev.Seq, Problem: fmt.Sprintf("%s (line %d)", faultLine, n)})
		}
		chain.Add(ev)
	}
	chain.End(nil, nil)
	out.Sound = chain.Sound() && len(out.Faults) == 0
	out.Events, out.Seq, out.Hash = chain.Events, chain.Last.Seq, hex.EncodeToString(chain.Last.Hash)
	for _, f := range chain.Faults {
		out.Faults = append(out.Faults, api.ChainFault(f))
	}
	return out, nil
}

// readEvent reads a line of an export. It is exact where the event, written again, gives the
// same bytes but for the line end: the hash covers what was read, and JSON may say more than
// one reader takes from it.
func readEvent(line []byte) (ev *gatehouse.Event, exact bool, err error) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	var in api.Event
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, false, err
	}
	ev = eventOf(&in)
	// Each text that was read into something else, as that is written.
	in.Time = time.UnixMicro(ev.Time.UnixMicro()).UTC()
	in.Actor, in.Outcome = ev.Actor.Kind.String(), ev.Outcome.String()
	in.Prev, in.Hash = hex.EncodeToString(ev.Prev), hex.EncodeToString(ev.Hash)
	if in.Address = ""; ev.Actor.Address.IsValid() {
		in.Address = ev.Actor.Address.String()
	}
	again, err := toJSON(&in)
	return ev, bytes.Equal(line, again), err
}

// eventOf is the event as it was hashed. What cannot be read from the wire is left out.
func eventOf(ev *api.Event) *gatehouse.Event {
	address, _ := netip.ParseAddr(ev.Address)
	prev, _ := hex.DecodeString(ev.Prev)
	hash, _ := hex.DecodeString(ev.Hash)
	out := &gatehouse.Event{
		Seq: ev.Seq, Time: ev.Time, Tenant: ev.Tenant, Verb: ev.Verb, Subject: ev.Subject, Outcome: gatehouse.ParseOutcome(ev.Outcome), Prev: prev, Hash: hash,
		Actor: gatehouse.Actor{Kind: gatehouse.ParseActorKind(ev.Actor), ID: ev.ActorID, Address: address, UserAgent: ev.UserAgent},
	}
	for _, c := range ev.Changes {
		out.Changes = append(out.Changes, gatehouse.Change(c))
	}
	return out
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/account"
)

const (
	mailQueue   = 4096 // jobs wait in it: an ask for nobody is quickly done, and a flood of them must not crowd others out
	mailWorkers = 2
	mailTimeout = 30 * time.Second
	mailDrain   = 10 * time.Second // how long the end waits for what is queued
	mailSoonest = 50 * time.Millisecond
	mailLatest  = 150 * time.Millisecond
)

// postman does what a mail needs after the answer was given, so that the answer tells
// nothing of it: it begins between mailSoonest and mailLatest later, if no other mail is in
// its way, so that what is asked next does not meet it either. The queue is bounded; it lives
// in memory, and whoever asked can ask again.
type postman struct {
	ctx    context.Context // ends when draining has taken too long
	cancel context.CancelFunc
	log    *slog.Logger
	jobs   chan mailJob
	mu     sync.RWMutex // guards closed, and jobs against being closed under a sender
	closed bool
	ending chan struct{} // closed with jobs: nothing waits for its time any more
	wg     sync.WaitGroup
}

// mailJob is work, and when it may begin.
type mailJob struct {
	due time.Time
	do  func(context.Context) error
}

func newPostman(log *slog.Logger) *postman {
	p := &postman{log: log, jobs: make(chan mailJob, mailQueue), ending: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for range mailWorkers {
		p.wg.Go(p.work)
	}
	return p
}

// take accepts a job. An error wraps gatehouse.ErrUnavailable: the queue is full, or
// closed.
func (p *postman) take(job func(context.Context) error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return gatehouse.Unavailable("queue mail", errors.New("closed"))
	}
	select {
	case p.jobs <- mailJob{time.Now().Add(mailSoonest + rand.N(mailLatest-mailSoonest)), job}:
		return nil
	default:
		return gatehouse.Unavailable("queue mail", errors.New("full"))
	}
}

func (p *postman) work() {
	for job := range p.jobs {
		select {
		case <-time.After(time.Until(job.due)):
		case <-p.ending:
		}
		ctx, cancel := context.WithTimeout(p.ctx, mailTimeout)
		if err := job.do(ctx); err != nil {
			p.log.ErrorContext(ctx, "mail not sent", "error", err)
		}
		cancel()
	}
}

// close does what is queued and returns when it is done, or given up after mailDrain.
func (p *postman) close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.jobs)
		close(p.ending)
	}
	p.mu.Unlock()
	giveUp := time.AfterFunc(mailDrain, p.cancel)
	p.wg.Wait()
	giveUp.Stop()
	p.cancel()
}

// mailLimits bound the mail that strangers can have sent to one account.
var mailLimits = []gatehouse.Limit{
	{Name: "short", Count: 3, Period: 15 * time.Minute, Burst: 3},
	{Name: "day", Count: 10, Period: 24 * time.Hour, Burst: 10},
}

// confirmationMail is the job that mails a confirmation to a pending account.
func (d *Door) confirmationMail(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		a, token, err := d.issue(ctx, purposeConfirmation, address, func(id string, expires time.Time) error {
			_, err := d.c.Accounts.IssueConfirmation(ctx, address, id, expires)
			return err
		})
		if err != nil || token.Empty() {
			return err
		}
		return d.mail(ctx, &a, "Confirm your e-mail address",
			"please confirm that this e-mail address is yours:", d.link("confirmation", "confirmation_token", token, a.Data))
	}
}

// resetMail is the job that mails a password reset to whoever holds the address.
func (d *Door) resetMail(actor gatehouse.Actor, address string) func(context.Context) error {
	return func(ctx context.Context) error {
		a, token, err := d.issue(ctx, purposeReset, address, func(id string, expires time.Time) error {
			_, err := d.c.Accounts.IssueReset(ctx, actor, address, id, expires)
			return err
		})
		if err != nil || token.Empty() {
			return err
		}
		return d.mail(ctx, &a, "Reset your password",
			"somebody asked to set a new password for your account. If it was you, follow this link:",
			d.link("password_reset", "reset_token", token, a.Data))
	}
}

// issue makes a token and records its ticket, for the account behind an address. The
// token is empty where there is nothing to mail: no such account, not in the state for
// it, or mailed too often.
func (d *Door) issue(ctx context.Context, purpose, address string, record func(id string, expires time.Time) error) (account.Account, gatehouse.Secret, error) {
	var none gatehouse.Secret
	a, err := d.c.Accounts.Account(ctx, account.ByEmail, address)
	if errors.Is(err, gatehouse.ErrNotFound) {
		return a, none, nil
	}
	if err != nil {
		return a, none, err
	}
	// One budget for each purpose, and only mail that is sent is charged to it: who asks
	// for the one kind must not use up the other.
	budget := "barong:mail:" + purpose + ":" + a.Tenant + ":" + a.ID
	ok, _, err := d.c.Limiter.Take(ctx, budget, mailLimits)
	if err != nil || !ok {
		return a, none, err
	}
	token, id, err := d.c.Tokens.Sign(ctx, purpose, a.Email, a.UID, d.c.MailLife)
	if err != nil {
		return a, none, fmt.Errorf("sign token: %w", err)
	}
	err = record(id, d.c.Now().Add(d.c.MailLife))
	if errors.Is(err, gatehouse.ErrNotFound) {
		return a, none, d.c.Limiter.Refund(ctx, budget, mailLimits)
	}
	return a, token, err
}

var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$`)

// link is a link of the front end that holds a token. The front end keeps the
// account's language in its data; English where there is none.
func (d *Door) link(page, name string, token gatehouse.Secret, data string) string {
	var said struct {
		Language string `json:"language"`
	}
	if err := json.Unmarshal([]byte(data), &said); err != nil || !language.MatchString(said.Language) {
		said.Language = "en"
	}
	return d.c.Domain + "/accounts/" + page + "?" + name + "=" + url.QueryEscape(token.Reveal()) + "&lang=" + said.Language
}

func (d *Door) mail(ctx context.Context, a *account.Account, subject, why, link string) error {
	text := fmt.Sprintf("Hello,\n\n%s\n\n%s\n\nThe link is good for %d minutes, and once. If you did not ask for this mail, there is nothing to do.\n\n%s\n",
		why, link, int(d.c.MailLife.Minutes()), d.c.AppName)
	if err := d.c.Mailer.Send(ctx, a.Email, subject+" - "+d.c.AppName, text); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

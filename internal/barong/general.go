// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"context"
	"net/http"
	"time"

	"github.com/seed14544106/gatehouse/account"
)

func (d *Door) ping(context.Context, *call) (answer, error) {
	return answer{status: http.StatusOK, body: struct {
		Ping string `json:"ping"`
	}{"pong"}}, nil
}

func (d *Door) time(context.Context, *call) (answer, error) {
	return answer{status: http.StatusOK, body: struct {
		Time int64 `json:"time"`
	}{d.c.Now().Unix()}}, nil
}

func (d *Door) version(context.Context, *call) (answer, error) {
	return answer{status: http.StatusOK, body: d.c.Version}, nil
}

// configs leaves out captcha_id and phone_verification_type, as Barong does where it
// has none: there are no captchas and no phones here.
func (d *Door) configs(context.Context, *call) (answer, error) {
	return answer{status: http.StatusOK, body: struct {
		Expire  int    `json:"session_expire_time"`
		Captcha string `json:"captcha_type"`
		Entropy int    `json:"password_min_entropy"`
		Pattern string `json:"password_regexp"`
	}{int(d.c.SessionIdle / time.Second), "none", int(d.c.Policy.MinEntropy), d.pattern}}, nil
}

func (d *Door) validatePassword(_ context.Context, c *call) (answer, error) {
	return answer{status: http.StatusCreated, body: struct {
		Entropy float64 `json:"entropy"`
	}{account.Entropy(c.params["password"], d.c.Policy.Dictionary)}}, nil
}

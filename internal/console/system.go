// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"

	"github.com/seed14544106/gatehouse/api"
)

func (c *Console) systemRoutes() []route {
	return []route{
		{pattern: "GET /operate/system", need: operator, serve: (*visit).showSystem},
		{pattern: "POST /operate/system/rotate", need: operator, serve: (*visit).rotateSigning},
	}
}

// systemPage is how the server stands, as far as a session may know.
type systemPage struct {
	Version string
	Schemes []string
	Self    api.Self
	Keys    []api.SigningKey
	Refused string // why the signing keys are not told
	Problem string
}

func (v *visit) showSystem() error { return v.systemPage(http.StatusOK, "") }

func (v *visit) systemPage(status int, problem string) error {
	page := systemPage{Version: v.Version, Schemes: v.Schemes, Problem: problem}
	var err error
	if page.Self, err = v.api.Self(v.r.Context()); err != nil {
		return err
	}
	keys, err := v.api.SigningKeys(v.r.Context())
	if page.Refused = wrong(err); page.Refused == "" && err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	page.Keys = keys.Keys
	return v.show(status, "operate-system.html", "System", page)
}

func (v *visit) rotateSigning() error {
	_, err := v.api.RotateSigningKeys(v.r.Context())
	if isStatus(err, http.StatusConflict) {
		return v.systemPage(http.StatusUnprocessableEntity, "Nothing is to be rotated now: the next keys are published already, or the keys come from the configuration.")
	}
	if text := wrong(err); text != "" {
		return v.systemPage(http.StatusUnprocessableEntity, text)
	}
	if err != nil {
		return err
	}
	return v.to("/operate/system", "signing-rotated")
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse/api"
	"github.com/seed14544106/gatehouse/client"
)

// graceChoice is how long both secrets work.
type graceChoice struct {
	Seconds int64
	Title   string
}

var graceChoices = []graceChoice{
	{0, "not at all: the old secret ends at once"}, {3600, "1 hour"}, {86400, "1 day"}, {7 * 86400, "7 days"}, {30 * 86400, "30 days"}, {90 * 86400, "90 days"},
}

const graceDefault = 7 * 86400

// rotatePage is the form that gives a key a new secret, and the one that ends a rotation.
type rotatePage struct {
	Key       *shownKey
	Rotation  *api.Rotation
	Grace     int64
	Graces    []graceChoice
	PublicKey string
	Once      string // of the form as it was sent first; empty: a new one
	Problem   string
	WrongKey  string // what is wrong with PublicKey
}

// TakesPublic reports whether the key may have a public key.
func (p *rotatePage) TakesPublic() bool { return slices.Equal(p.Key.Schemes, []string{schemeHTTPSig}) }

func (v *visit) showRotate() error {
	k, err := v.key()
	if err != nil {
		return err
	}
	return v.rotateForm(&rotatePage{Key: k, Grace: graceDefault})(http.StatusOK)
}

func (v *visit) rotateForm(page *rotatePage) func(int) error {
	page.Graces = graceChoices
	return func(status int) error { return v.show(status, "key-rotate.html", "Rotate "+page.Key.Label(), page) }
}

func (v *visit) rotateKey() error {
	k, err := v.key()
	if err != nil {
		return err
	}
	page := &rotatePage{Key: k, PublicKey: strings.TrimSpace(v.r.PostFormValue("public_key")), Once: v.r.PostFormValue("once")}
	if page.Grace, err = strconv.ParseInt(v.r.PostFormValue("grace"), 10, 64); err != nil {
		return errForm
	}
	asked := api.Rotate{Grace: page.Grace, PublicKey: page.PublicKey}
	var made api.CreatedKey
	if private(page.PublicKey) {
		page.PublicKey = ""
	}
	if err = checkPublic(asked.PublicKey); err == nil {
		made, err = v.api.RotateKey(v.r.Context(), k.ID, asked)
	}
	if err == nil || errors.Is(err, client.ErrSecretLost) {
		return v.showSecret(http.StatusOK, "New secret", &made, asked.PublicKey, true)
	}
	wrong := &page.Problem
	if page.TakesPublic() && (&keyForm{}).field(err) == "public_key" {
		wrong = &page.WrongKey
	}
	return v.refusedOr(err, wrong, v.rotateForm(page))
}

func (v *visit) showRotation() error {
	page, err := v.rotation()
	if err != nil {
		return err
	}
	return v.rotationForm(page)(http.StatusOK)
}

// rotation is where the rotation of the key stands.
func (v *visit) rotation() (*rotatePage, error) {
	k, err := v.key()
	if err != nil {
		return nil, err
	}
	r, err := v.standing(k)
	return &rotatePage{Key: k, Rotation: r, Grace: graceDefault}, err
}

// standing is where the rotation of a key stands, for people.
func (v *visit) standing(k *shownKey) (*api.Rotation, error) {
	r, err := v.api.Rotation(v.r.Context(), k.ID, 0)
	for _, secret := range []*api.RotationSecret{r.Old, r.New} {
		if secret != nil {
			nameAgents(secret.By)
		}
	}
	return &r, err
}

// nameAgents says in words what programs are of no class: their own names are not kept.
func nameAgents(by []api.UsedBy) {
	for i := range by {
		switch by[i].Agent {
		case "other":
			by[i].Agent = "another program"
		case "none":
			by[i].Agent = "a program without a name"
		}
	}
}

func (v *visit) rotationForm(page *rotatePage) func(int) error {
	page.Graces = graceChoices[1:]
	return func(status int) error {
		return v.show(status, "key-rotation.html", "Rotation of "+page.Key.Label(), page)
	}
}

// changeRotation finishes, extends or cancels a rotation, by which button was pressed.
func (v *visit) changeRotation() error {
	page, err := v.rotation()
	if err != nil {
		return err
	}
	page.Once = v.r.PostFormValue("once")
	ctx, kid, done := v.r.Context(), page.Key.ID, ""
	switch v.r.PostFormValue("do") {
	case "finish":
		if r := page.Rotation; r.State == "running" && !r.Safe && v.r.PostFormValue("sure") == "" {
			page.Problem = "It is not safe to finish yet: " + r.Why + ". Tick the box to finish all the same."
			return v.rotationForm(page)(http.StatusUnprocessableEntity)
		}
		_, err = v.api.FinishRotation(ctx, kid)
		done = "rotation-finished"
	case "cancel":
		_, err = v.api.CancelRotation(ctx, kid)
		done = "rotation-cancelled"
	case "extend":
		if page.Grace, err = strconv.ParseInt(v.r.PostFormValue("grace"), 10, 64); err != nil {
			return errForm
		}
		_, err = v.api.ExtendRotation(ctx, kid, api.Extend{Grace: page.Grace})
		done = "rotation-extended"
	default:
		return errForm
	}
	if err == nil {
		return v.to(page.Key.Path(), done)
	}
	return v.refusedOr(err, &page.Problem, v.rotationForm(page))
}

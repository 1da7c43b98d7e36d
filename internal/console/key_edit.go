// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seed14544106/gatehouse/client"
)

func (v *visit) showEditKey() error {
	k, err := v.key()
	if err != nil {
		return err
	}
	return v.keyForm(&keyFormPage{Key: k, keyForm: formOf(&k.Key), Version: k.Version})(http.StatusOK)
}

func (v *visit) editKey() error {
	k, err := v.key()
	if err != nil {
		return err
	}
	page := &keyFormPage{Key: k, keyForm: v.typed(expiryKeep)}
	if page.Version, err = strconv.ParseInt(v.r.PostFormValue("version"), 10, 64); err != nil || page.Version < 1 {
		return errForm
	}
	p, err := page.patch(time.Now(), k.Schemes)
	if err == nil {
		_, err = v.api.UpdateKey(v.r.Context(), k.ID, page.Version, p)
	}
	if err == nil {
		return v.to(k.Path(), "key-changed")
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusPreconditionFailed {
		page.Version = k.Version
		page.Problem = "Somebody changed this key since you opened the form. Below is what you typed. Look at the key first: if you save again, this takes the place of the other change."
		return v.keyForm(page)(e.Status)
	}
	return v.refusedKey(err, page)
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package barong

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"

	"rsc.io/qr"

	"github.com/seed14544106/gatehouse/account"
)

const kindOTP = "resource.otp"

// vault is an answer of HashiCorp Vault, which Barong hands on whole.
type vault struct {
	Auth      *string `json:"auth"`
	Data      any     `json:"data"`
	Duration  int     `json:"lease_duration"`
	Lease     string  `json:"lease_id"`
	Metadata  *string `json:"metadata"`
	Renewable bool    `json:"renewable"`
	Warnings  *string `json:"warnings"`
	Wrapped   *string `json:"wrap_info"`
}

// totpRows are what the four calls have in common.
var totpRows = []row{
	{account.ErrOTPOn, http.StatusBadRequest, kindOTP + ".already_enabled"},
	{account.ErrOTPOff, http.StatusBadRequest, kindOTP + ".not_enabled"},
	{account.ErrCodeInvalid, http.StatusUnprocessableEntity, kindOTP + ".invalid"},
	{account.ErrCodeUsed, http.StatusUnprocessableEntity, codeTOTPUsed},
}

// beginOTP gives the account a new secret, and shows it as a picture and as text.
func (d *Door) beginOTP(ctx context.Context, c *call) (answer, error) {
	uri, err := d.c.Accounts.BeginOTP(ctx, c.actor, c.account.ID)
	if err != nil {
		return answer{}, say(err, codeTOTPSlow, totpRows...)
	}
	picture, err := barcode(uri)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: vault{Data: struct {
		Barcode []byte `json:"barcode"` // base64
		URL     string `json:"url"`
	}{picture, uri}}}, nil
}

func (d *Door) enableOTP(ctx context.Context, c *call) (answer, error) {
	// Behind a gateway the cookie comes along with the bearer: its session stays.
	keep, _ := d.sessionID(c.r)
	// Barong has no recovery codes, so there is nowhere to show them; the console does.
	if _, err := d.c.Accounts.EnableOTP(ctx, c.actor, c.account.ID, c.params["code"], keep); err != nil {
		return answer{}, say(err, codeTOTPSlow, totpRows...)
	}
	return answer{status: http.StatusCreated, body: http.StatusOK}, nil
}

func (d *Door) disableOTP(ctx context.Context, c *call) (answer, error) {
	if err := d.c.Accounts.DisableOTP(ctx, c.actor, c.account.ID, c.params["code"]); err != nil {
		return answer{}, say(err, codeTOTPSlow, totpRows...)
	}
	return answer{status: http.StatusOK, body: http.StatusOK}, nil
}

func (d *Door) verifyOTP(ctx context.Context, c *call) (answer, error) {
	if err := d.c.Accounts.VerifyCode(ctx, c.actor, c.account.ID, c.params["code"]); err != nil {
		// Barong says already_enabled where it means the opposite.
		off := row{account.ErrOTPOff, http.StatusBadRequest, kindOTP + ".already_enabled"}
		return answer{}, say(err, codeTOTPSlow, append([]row{off}, totpRows...)...)
	}
	return answer{status: http.StatusCreated, body: null}, nil
}

const (
	barcodePixels = 300 // a side
	quietModules  = 4   // of white around a code (ISO/IEC 18004)
)

// barcode is the QR code of a text as PNG.
func barcode(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	scale := barcodePixels / (code.Size + 2*quietModules)
	if scale < 1 {
		return nil, fmt.Errorf("draw QR code: %d modules do not fit", code.Size)
	}
	// Whole pixels for each module; what is left over widens the margin.
	margin := (barcodePixels - scale*code.Size) / 2
	picture := image.NewPaletted(image.Rect(0, 0, barcodePixels, barcodePixels), color.Palette{color.White, color.Black})
	for y := range scale * code.Size {
		for x := range scale * code.Size {
			if code.Black(x/scale, y/scale) {
				picture.SetColorIndex(margin+x, margin+y, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return out.Bytes(), nil
}

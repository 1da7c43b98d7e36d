// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/api"
)

// longWay reads checks as they are read where readCheck does not take them.
func longWay() func(body []byte) (api.Check, bool) {
	h, a := &Handler{names: map[string]bool{}}, &adapter{}
	h.api = huma.NewAPI(h.config(), a)
	var got *api.Check
	does(route{
		Method: http.MethodPost, Path: "/", ID: "check", Status: http.StatusOK, Scope: gatehouse.ScopeKeysVerify, Repeat: repeatFresh,
	}, func(_ context.Context, _ *caller, in *struct{ Body api.Check }) (*struct{}, error) {
		got = &in.Body
		return &struct{}{}, nil
	}).register(h, huma.Operation{Method: http.MethodPost, Path: "/", MaxBodyBytes: -1, BodyReadTimeout: -1})
	h.takeEmptyBytes()
	return func(body []byte) (api.Check, bool) {
		got = nil
		if plainJSON(body, false) != nil {
			return api.Check{}, false
		}
		a.handler(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", io.NopCloser(bytes.NewReader(body))))
		if got == nil {
			return api.Check{}, false
		}
		return *got, true
	}
}

var (
	plainChecks = []string{
		`{}`, " {\t}\r\n", `{"headers":{}}`, `{"headers":{"A":[]},"scopes":[]}`, `{"cost":0}`, `{"cost":9223372036854775807}`,
		`{"method":"GET","scheme":"http","authority":"api.example.com","target":"/orders/7?x=1","peer":"203.0.113.7","headers":{"Authorization":["Bearer a_b_c"]}}`,
		` { "headers" : { "a" : [ "1" , "2" ] , "A" : [ "3" ] } , "signed" : true , "rules" : false } `,
		`{"body":""}`, `{"body":"YQ=="}`, `{"body":"Y\nQ=="}`, `{"body":"Y\u0051=="}`,
		`{"headers":{"Signature-Input":["s=(\"@method\");keyid=\"k\""],"X":["\u00e9é\ud83d\ude00 \ud800 \u2028"]}}`,
		"{\"headers\":{\"X\":[\"\xff\"],\"\\u0041\":[\"\x7f\"]}}",
		`{"scopes":["a"],"any_scope":["b"],"roles":["c"],"schemes":["d"],"scheme":"https"}`,
		`{"headers":{"a":[` + strings.Repeat(`"",`, maxMembers-1) + `""]}}`,
	}
	otherChecks = []string{
		``, ` `, `null`, `[]`, `{`, `{}}`, `{} {}`, `{,}`, `{"method"}`, `{"method":}`, `{"method":"GET",}`, `{"method":"GET" "peer":""}`, `{"a":1}`,
		`{"method":"a","method":"b"}`, `{"method":"a","\u006dethod":"b"}`, `{"Method":"a"}`, `{"method":1}`, `{"scheme":""}`, `{"scheme":"HTTP"}`, `{"method":null}`,
		`{"headers":{"a":["b"],"a":["c"]}}`, `{"headers":{"a":[],"\u0061":[]}}`, `{"headers":{"a":"b"}}`, `{"headers":{"a":[1]}}`, `{"headers":{"a":["b",]}}`, `{"headers":{"a":["b"],}}`,
		"{\"headers\":{\"\xfe\":[],\"\xff\":[]}}", `{"headers":{"a":null}}`, `{"scopes":[null]}`, `{"scopes":["a"`, `{"scopes":["a`, `{"scopes":["a\"]}`, "{\"method\":\"\n\"}", "{\"method\":\"\\\n\"}",
		`{"method":"\x"}`, `{"method":"\u12"}`, `{"body":"="}`, `{"body":"a"}`, `{"body":[1]}`, `{"cost":01}`, `{"cost":1.5}`, `{"cost":1e2}`, `{"cost":-1}`, `{"cost":}`, `{"cost":"1"}`,
		`{"cost":9223372036854775808}`, `{"signed":1}`, `{"signed":tru}`, `{"signed":truefalse}`, "{}\x00", "\ufeff{}", `{"signed":true`,
		`{"headers":{"a":[` + strings.Repeat(`"",`, maxMembers) + `""]}}`,
	}
)

func TestReadCheckTakesPlainChecks(t *testing.T) {
	t.Parallel()
	old := longWay()
	for _, body := range plainChecks {
		want, taken := old([]byte(body))
		if got, ok := readCheck([]byte(body)); !taken || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%.80s: %v %+v, want %v %+v", body, ok, got, taken, want)
		}
	}
	for _, body := range otherChecks {
		if c, ok := readCheck([]byte(body)); ok {
			t.Errorf("%.80s: taken: %+v", body, c)
		}
	}
	many := []byte(`{"headers":{`)
	for i := range maxMembers + 1 {
		many = append(many, '"', byte('a'+i/100), byte('a'+i/10%10), byte('a'+i%10))
		many = append(many, `":[],`...)
	}
	many = append(many[:len(many)-1], "}}"...)
	if _, ok := readCheck(many); ok {
		t.Error("more than 1,024 header fields are taken")
	}
}

// What clients send is read by hand, whatever members a check has.
func TestReadCheckTakesAllMembers(t *testing.T) {
	t.Parallel()
	old := longWay()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Make[api.Check]().Draw(t, "check")
		c.Scheme = rapid.SampledFrom([]string{"", "http", "https"}).Draw(t, "scheme")
		c.Cost &= 1<<62 - 1
		for name, values := range c.Headers {
			if values == nil {
				c.Headers[name] = []string{}
			}
		}
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		want, taken := old(body)
		if got, ok := readCheck(body); !ok || !taken || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n%v %+v\n%v %+v", body, ok, got, taken, want)
		}
	})
}

// What is read by hand is read otherwise, too, and as the same.
func FuzzReadCheck(f *testing.F) {
	for _, body := range append(plainChecks, otherChecks...) {
		f.Add([]byte(body))
	}
	old := longWay()
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := readCheck(body)
		if !ok {
			return
		}
		if want, taken := old(body); !taken || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, otherwise %v %+v", body, got, taken, want)
		}
	})
}

func TestPlainAsk(t *testing.T) {
	t.Parallel()
	h := &Handler{}
	h.api = huma.NewAPI(h.config(), &adapter{})
	for _, row := range []struct {
		plain  bool
		target string
		fields []string
	}{
		{true, "/v1/verify", nil},
		{true, "/v1/verify", []string{"Content-Type: application/json", "Accept: */*"}},
		{true, "/v1/verify", []string{"Content-Type: application/json; charset=utf-8", "Accept: application/json, text/plain, */*"}},
		{false, "/v1/verify?a=b", nil},
		{false, "/v1/verify", []string{"Idempotency-Key: a"}},
		{false, "/v1/verify", []string{"Idempotency-Key: "}},
		{false, "/v1/verify", []string{"Content-Type: text/plain"}},
		{false, "/v1/verify", []string{"Content-Type: json"}},
		{true, "/v1/verify", []string{"Content-Type: ; charset=utf-8"}}, // to huma, too
		{false, "/v1/verify", []string{"Content-Type: application/json;a=b+c"}},
		{false, "/v1/verify", []string{"Accept: json"}},
	} {
		r := httptest.NewRequest(http.MethodPost, row.target, nil)
		for _, f := range row.fields {
			name, value, _ := strings.Cut(f, ": ")
			r.Header.Set(name, value)
		}
		if got := h.plainAsk(r); got != row.plain {
			t.Errorf("%s %q: %v", row.target, row.fields, got)
		}
	}
}

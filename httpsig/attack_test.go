// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package httpsig

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// lacks stands for a *CoverageError in a table.
type lacks string

func (l lacks) Error() string { return "lacks " + string(l) }

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	var missing lacks
	if errors.As(want, &missing) {
		var ce *CoverageError
		if !errors.As(got, &ce) || ce.Missing != string(missing) {
			t.Errorf("got %v, want %v", got, want)
		}
		return
	}
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Everything that is covered is protected, and the way it is written is not.
func TestTampering(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*Message)
		want  error
	}{
		"nothing":             {func(*Message) {}, nil},
		"method":              {func(m *Message) { m.Method = "PUT" }, ErrInvalid},
		"method, other case":  {func(m *Message) { m.Method = "post" }, ErrInvalid},
		"path":                {func(m *Message) { m.Target = "/v1/admin?dry=1" }, ErrInvalid},
		"path, encoded":       {func(m *Message) { m.Target = "/v1/%6frders?dry=1" }, ErrInvalid},
		"path, dot segment":   {func(m *Message) { m.Target = "/v1/./orders?dry=1" }, ErrInvalid},
		"path, second slash":  {func(m *Message) { m.Target = "//v1/orders?dry=1" }, ErrInvalid},
		"query":               {func(m *Message) { m.Target = "/v1/orders?dry=0" }, ErrInvalid},
		"query gone":          {func(m *Message) { m.Target = "/v1/orders" }, ErrInvalid},
		"query longer":        {func(m *Message) { m.Target += "&x=y" }, ErrInvalid},
		"fragment":            {func(m *Message) { m.Target += "#x" }, ErrInvalid},
		"authority":           {func(m *Message) { m.Authority = "evil.example.com" }, ErrInvalid},
		"authority with port": {func(m *Message) { m.Authority += ":8443" }, ErrInvalid},
		"default port":        {func(m *Message) { m.Authority += ":443" }, nil},
		"port of http":        {func(m *Message) { m.Scheme, m.Authority = "https", m.Authority+":80" }, ErrInvalid},
		"authority not ASCII": {func(m *Message) { m.Authority = "api.example.com\u212a" }, ErrValue},
		"authority, user":     {func(m *Message) { m.Authority = "x@" + m.Authority }, ErrValue},
		"authority, case":     {func(m *Message) { m.Authority = "API.example.COM" }, nil},
		"absolute form":       {func(m *Message) { m.Target = "https://api.example.com" + m.Target }, nil},
		"other absolute form": {func(m *Message) { m.Target = "https://evil.example.com" + m.Target }, ErrValue},
		"absolute form, http": {func(m *Message) { m.Target = "http://api.example.com" + m.Target }, ErrValue},
		"digest":              {func(m *Message) { m.Header["Content-Digest"] = []string{ContentDigest(nil)} }, ErrInvalid},
		"second digest":       {func(m *Message) { m.Header["Content-Digest"] = append(m.Header["Content-Digest"], "md5=:AAAA:") }, ErrInvalid},
		"digest gone":         {func(m *Message) { delete(m.Header, "Content-Digest") }, ErrMissing},
		"nonce":               {replaceInput(`nonce="n1"`, `nonce="n2"`), ErrInvalid},
		"key id":              {replaceInput(`keyid="k1"`, `keyid="k2"`), ErrInvalid},
		"created":             {replaceInput(`;created=1`, `;created=2`), ErrInvalid},
		"order of components": {replaceInput(`"@method" "@authority"`, `"@authority" "@method"`), ErrInvalid},
		"order of parameters": {replaceInput(`;keyid="k1";nonce="n1"`, `;nonce="n1";keyid="k1"`), ErrInvalid},
		"component added":     {replaceInput(`"@method"`, `"@method" "date"`), ErrInvalid},
		"component swapped":   {replaceInput(`"content-digest"`, `"date"`), lacks("content-digest")},
		"component gone":      {replaceInput(`"@method" `, ``), lacks("@method")},
		"expires added":       {replaceInput(`;keyid`, `;expires=4000000000;keyid`), ErrInvalid},
		"blanks":              {replaceInput(`"@method" "`, `  "@method"   "`), nil},
		"blank parameter":     {replaceInput(`;keyid`, `; keyid`), nil},
		"label":               {func(m *Message) { relabel(m, "sig1=", "other=") }, nil},
		"uncovered header":    {func(m *Message) { m.Header["Date"] = nil; m.Header["X-Any"] = []string{"x"} }, nil},
		"value cut":           {func(m *Message) { m.Header["Signature"] = []string{"sig1=:AAAA:"} }, ErrInvalid},
		"value empty":         {func(m *Message) { m.Header["Signature"] = []string{"sig1=::"} }, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := signed(t, signer(), post())
			tt.spoil(m)
			wantErr(t, check(m, Policy{}, shared), tt.want)
		})
	}
}

func replaceInput(old, replacement string) func(*Message) {
	return func(m *Message) {
		v := m.Header["Signature-Input"]
		if !strings.Contains(v[0], old) {
			panic("the test replaces nothing: " + old)
		}
		m.Header["Signature-Input"] = []string{strings.Replace(v[0], old, replacement, 1)}
	}
}

func relabel(m *Message, old, label string) {
	for _, field := range []string{"Signature-Input", "Signature"} {
		m.Header[field] = []string{strings.Replace(m.Header[field][0], old, label, 1)}
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	const params = `;created=1782907200;keyid="k1";nonce="n1"`
	for name, tt := range map[string]struct {
		input  string
		change func(*Message)
		policy Policy
		want   error
	}{
		"default":                        {input: `("@method" "@authority" "@path" "@query" "content-digest")` + params},
		"target-uri":                     {input: `("@method" "@target-uri" "content-digest")` + params},
		"request-target":                 {input: `("@method" "@authority" "@request-target" "content-digest")` + params},
		"nothing":                        {input: `()` + params, want: lacks("@method")},
		"only date":                      {input: `("date")` + params, want: lacks("@method")},
		"no method":                      {input: `("@target-uri" "content-digest")` + params, want: lacks("@method")},
		"no authority":                   {input: `("@method" "@request-target" "content-digest")` + params, want: lacks("@authority")},
		"no path":                        {input: `("@method" "@authority" "@query" "content-digest")` + params, want: lacks("@path")},
		"no query":                       {input: `("@method" "@authority" "@path" "content-digest")` + params, want: lacks("@query")},
		"one query parameter":            {input: `("@method" "@authority" "@path" "@query-param";name="dry" "content-digest")` + params, want: lacks("@query")},
		"no query, none there":           {input: `("@method" "@authority" "@path" "content-digest")` + params, change: func(m *Message) { m.Target = "/v1" }},
		"no query, bare question mark":   {input: `("@method" "@authority" "@path" "content-digest")` + params, change: func(m *Message) { m.Target = "/v1?" }, want: lacks("@query")},
		"digest header not covered":      {input: `("@method" "@target-uri")` + params, want: lacks("content-digest")},
		"no digest, no body":             {input: `("@method" "@target-uri")` + params, change: func(m *Message) { m.Body = BodyNone }},
		"no digest, body not known":      {input: `("@method" "@target-uri")` + params, change: func(m *Message) { m.Body = BodyUnknown }, want: lacks("content-digest")},
		"repr-digest in its place":       {input: `("@method" "@target-uri" "repr-digest")` + params, change: repr, want: lacks("content-digest")},
		"digest as byte sequence":        {input: `("@method" "@target-uri" "content-digest";bs)` + params, want: lacks("content-digest")},
		"no created":                     {input: `("@method" "@target-uri" "content-digest");keyid="k1";nonce="n1"`, want: lacks("created")},
		"no keyid":                       {input: `("@method" "@target-uri" "content-digest");created=1782907200;nonce="n1"`, want: lacks("keyid")},
		"no nonce":                       {input: `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1"`, want: lacks("nonce")},
		"no nonce, get":                  {input: `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1"`, change: func(m *Message) { m.Method = "GET" }},
		"no nonce, lower-case get":       {input: `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1"`, change: func(m *Message) { m.Method = "get" }, want: lacks("nonce")},
		"no nonce, get, always":          {input: `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1"`, change: func(m *Message) { m.Method = "GET" }, policy: Policy{NonceAlways: true}, want: lacks("nonce")},
		"target-uri without the scheme":  {input: `("@method" "@target-uri" "content-digest")` + params, change: func(m *Message) { m.Scheme = "" }, want: ErrNoScheme},
		"default without the scheme":     {input: `("@method" "@authority" "@path" "@query" "content-digest")` + params, change: func(m *Message) { m.Scheme = "" }},
		"a header that is not there":     {input: `("@method" "@target-uri" "content-digest" "x-absent")` + params, want: ErrMissing},
		"an unknown derived component":   {input: `("@method" "@target-uri" "content-digest" "@any")` + params, want: ErrUnsupported},
		"the status of a response":       {input: `("@method" "@target-uri" "content-digest" "@status")` + params, want: ErrUnsupported},
		"another request":                {input: `("@method" "@target-uri" "content-digest" "@method";req)` + params, want: ErrUnsupported},
		"a trailer":                      {input: `("@method" "@target-uri" "content-digest" "date";tr)` + params, want: ErrUnsupported},
		"a component twice":              {input: `("@method" "@method" "@target-uri" "content-digest")` + params, want: ErrMalformed},
		"a query parameter of two":       {input: `("@method" "@target-uri" "content-digest" "@query-param";name="a")` + params, change: func(m *Message) { m.Target = "/?a=1&a=2" }, want: ErrRepeated},
		"a query parameter twice":        {input: `("@method" "@target-uri" "content-digest" "@query-param";name="dry" "@query-param";name="dry")` + params, want: ErrMalformed},
		"a query parameter without name": {input: `("@method" "@target-uri" "content-digest" "@query-param")` + params, want: ErrUnsupported},
		"four query parameters":          {input: `("@method" "@target-uri" "content-digest" "@query-param";name="a" "@query-param";name="b" "@query-param";name="c" "@query-param";name="d")` + params, change: func(m *Message) { m.Target = "/?a&b&c&d&e" }},
		"five query parameters":          {input: `("@method" "@target-uri" "content-digest" "@query-param";name="a" "@query-param";name="b" "@query-param";name="c" "@query-param";name="d" "@query-param";name="e")` + params, change: func(m *Message) { m.Target = "/?a&b&c&d&e" }, want: ErrUnsupported},
		"a query parameter, long query":  {input: `("@method" "@target-uri" "content-digest" "@query-param";name="a")` + params, change: func(m *Message) { m.Target = "/?a=" + strings.Repeat("b", maxQuery) }, want: ErrUnsupported},
		"the field that it stands in":    {input: `("@method" "@target-uri" "content-digest" "signature")` + params, want: ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := raw(t, tt.input)
			if tt.change != nil {
				tt.change(m)
				sign := raw(t, tt.input)
				sign.Method, sign.Scheme, sign.Target = m.Method, m.Scheme, m.Target
				if s, err := find(sign, ""); err == nil {
					if base, err := sign.appendBase(nil, &s.list); err == nil {
						m.Header["Signature"] = []string{"sig1=" + string(appendBytes(nil, must(shared.sign(base))))}
					}
				}
			}
			wantErr(t, check(m, tt.policy, shared), tt.want)
		})
	}
}

func repr(m *Message) {
	m.Header["Repr-Digest"] = m.Header["Content-Digest"]
	delete(m.Header, "Content-Digest")
}

func TestSignatureInput(t *testing.T) {
	t.Parallel()
	const list, params = `("@method" "@target-uri" "content-digest")`, `;created=1782907200;keyid="k1";nonce="n1"`
	for name, tt := range map[string]struct {
		input string
		want  error
	}{
		"all parameters":         {list + params + `;alg="hmac-sha256";expires=1782907260;tag="app"`, nil},
		"created twice":          {list + params + `;created=1782907200`, ErrMalformed},
		"keyid twice":            {list + params + `;keyid="k2"`, ErrMalformed},
		"created as text":        {list + `;created="1782907200";keyid="k1";nonce="n1"`, ErrMalformed},
		"created as decimal":     {list + `;created=1782907200.5;keyid="k1";nonce="n1"`, ErrMalformed},
		"created as date":        {list + `;created=@1782907200;keyid="k1";nonce="n1"`, ErrMalformed},
		"created without value":  {list + `;created;keyid="k1";nonce="n1"`, ErrMalformed},
		"created negative":       {list + `;created=-1;keyid="k1";nonce="n1"`, ErrMalformed},
		"created far":            {list + `;created=253402300800;keyid="k1";nonce="n1"`, ErrMalformed},
		"created of 16 digits":   {list + `;created=1000000000000000;keyid="k1";nonce="n1"`, ErrMalformed},
		"created empty":          {list + `;created=;keyid="k1";nonce="n1"`, ErrMalformed},
		"created minus":          {list + `;created=-;keyid="k1";nonce="n1"`, ErrMalformed},
		"created zero":           {list + `;created=0;keyid="k1";nonce="n1"`, ErrStale},
		"created later":          {list + `;created=1782907205;keyid="k1";nonce="n1"`, ErrFuture},
		"created within skew":    {list + `;created=1782907204;keyid="k1";nonce="n1"`, nil},
		"created long ago":       {list + `;created=1782907140;keyid="k1";nonce="n1"`, ErrStale},
		"created just in time":   {list + `;created=1782907141;keyid="k1";nonce="n1"`, nil},
		"expired":                {list + params + `;expires=1782907200`, ErrExpired},
		"expires before created": {list + params + `;expires=1782907199`, ErrMalformed},
		"expires as text":        {list + params + `;expires="x"`, ErrMalformed},
		"keyid as token":         {list + `;created=1782907200;keyid=k1;nonce="n1"`, ErrMalformed},
		"keyid empty":            {list + `;created=1782907200;keyid="";nonce="n1"`, ErrMalformed},
		"keyid long":             {list + `;created=1782907200;nonce="n1";keyid="` + strings.Repeat("k", 257) + `"`, ErrMalformed},
		"keyid with escapes":     {list + `;created=1782907200;nonce="n1";keyid="\"k\\"`, nil},
		"keyid, broken escape":   {list + `;created=1782907200;nonce="n1";keyid="\k"`, ErrMalformed},
		"keyid not ASCII":        {list + `;created=1782907200;nonce="n1";keyid="ké"`, ErrMalformed},
		"keyid with line end":    {list + ";created=1782907200;nonce=\"n1\";keyid=\"k\n\"", ErrMalformed},
		"keyid open":             {list + `;created=1782907200;nonce="n1";keyid="k`, ErrMalformed},
		"nonce empty":            {list + `;created=1782907200;keyid="k1";nonce=""`, ErrMalformed},
		"nonce a number":         {list + `;created=1782907200;keyid="k1";nonce=1`, ErrMalformed},
		"nonce true":             {list + `;created=1782907200;keyid="k1";nonce`, ErrMalformed},
		"unknown parameter":      {list + params + `;any="thing"`, ErrMalformed},
		"parameter upper case":   {list + params + `;Tag="app"`, ErrMalformed},
		"parameter without name": {list + params + `;`, ErrMalformed},
		"other algorithm":        {list + params + `;alg="ed25519"`, ErrAlgorithm},
		"algorithm, other case":  {list + params + `;alg="HMAC-SHA256"`, ErrAlgorithm},
		"algorithm none":         {list + params + `;alg="none"`, ErrAlgorithm},
		"not a list":             {`"@method"` + params, ErrMalformed},
		"list of tokens":         {`(@method)` + params, ErrMalformed},
		"nine parameters":        {`("@method" "@target-uri";a;b;c;d;e;f;g;h;i "content-digest")` + params, ErrMalformed},
		"eight parameters":       {`("@method" "@target-uri";a;b;c;d;e;f;g;h "content-digest")` + params, lacks("@authority")},
		"neither true nor false": {list + params + `;tag=?2`, ErrMalformed},
		"list open":              {`("@method"`, ErrMalformed},
		"list without blanks":    {`("@method""@target-uri" "content-digest")` + params, ErrMalformed},
		"list with tab":          {"(\"@method\"\t\"@target-uri\" \"content-digest\")" + params, ErrMalformed},
		"text behind":            {list + params + ` x`, ErrMalformed},
		"comma behind":           {list + params + `,`, ErrMalformed},
		"name with upper case":   {`("@method" "@target-uri" "content-digest" "Date")` + params, ErrMalformed},
		"name with line end":     {"(\"@method\" \"@target-uri\" \"content-digest\" \"date\\n\")" + params, ErrMalformed},
		"name with quote":        {`("@method" "@target-uri" "content-digest" "date\": x")` + params, ErrMalformed},
		"name empty":             {`("@method" "@target-uri" "content-digest" "")` + params, ErrMalformed},
		"name long":              {`("@method" "@target-uri" "content-digest" "` + strings.Repeat("x", 257) + `")` + params, ErrMalformed},
		"64 components":          {many(64) + params, ErrMissing},
		"65 components":          {many(65) + params, ErrMalformed},
		"field too long":         {list + params + strings.Repeat(" ", maxField), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantErr(t, check(raw(t, tt.input), Policy{}, shared), tt.want)
		})
	}
}

// many returns a list of n components, most of them not in the message.
func many(n int) string {
	l := innerList{items: []component{{name: "@method"}, {name: "@target-uri"}, {name: "content-digest"}}}
	for i := len(l.items); i < n; i++ {
		l.items = append(l.items, component{name: "x-" + strings.Repeat("i", i)})
	}
	return string(appendList(nil, &l))
}

// Who ends TLS must tell the scheme that the client used, and no other holds.
func TestScheme(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]error{"https": nil, "HTTPS": nil, "http": ErrInvalid, "": ErrNoScheme} {
		m := raw(t, `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1";nonce="n1"`)
		m.Scheme = scheme
		wantErr(t, check(m, Policy{}, shared), want)
	}
}

// Which signature is meant does not depend on the order of labels or lines.
func TestLabels(t *testing.T) {
	t.Parallel()
	m := signed(t, signer(), post())
	tagged := signer()
	tagged.Label, tagged.Tag = "sig2", "app"
	n := signed(t, tagged, post())
	input1, value1 := m.Header["Signature-Input"][0], m.Header["Signature"][0]
	input2, value2 := n.Header["Signature-Input"][0], n.Header["Signature"][0]
	foreign := `proxy=("@method");created=1;any=thing`
	for name, tt := range map[string]struct {
		inputs, values []string
		tag            string
		want           error
	}{
		"one":                          {[]string{input1}, []string{value1}, "", nil},
		"one with tag":                 {[]string{input2}, []string{value2}, "", nil},
		"two":                          {[]string{input1, input2}, []string{value1, value2}, "", ErrAmbiguous},
		"two, by tag":                  {[]string{input1, input2}, []string{value2, value1}, "app", nil},
		"two in one line, by tag":      {[]string{input1 + " ,\t" + input2}, []string{value1 + "," + value2}, "app", nil},
		"two with one tag":             {[]string{input2, strings.Replace(input2, "sig2", "sig3", 1)}, []string{value2, strings.Replace(value2, "sig2", "sig3", 1)}, "app", ErrAmbiguous},
		"other tag":                    {[]string{input1, input2}, []string{value1, value2}, "other", ErrNoSignature},
		"none":                         {nil, nil, "", ErrNoSignature},
		"empty fields":                 {[]string{""}, []string{""}, "", ErrMalformed},
		"no input":                     {nil, []string{value1}, "", ErrMalformed},
		"no value":                     {[]string{input1}, nil, "", ErrMalformed},
		"value of another label":       {[]string{input1}, []string{value2}, "", ErrMalformed},
		"values swapped":               {[]string{input1, input2}, []string{strings.Replace(value1, "sig1", "sig2", 1), strings.Replace(value2, "sig2", "sig1", 1)}, "app", ErrInvalid},
		"input without value":          {[]string{input1, input2}, []string{value2}, "app", ErrMalformed},
		"value without input":          {[]string{input2}, []string{value1, value2}, "app", ErrMalformed},
		"label twice":                  {[]string{input1, input1}, []string{value1, value1}, "", ErrMalformed},
		"value twice":                  {[]string{input1}, []string{value1, value1}, "", ErrMalformed},
		"label upper case":             {[]string{"Sig1" + input1[4:]}, []string{value1}, "", ErrMalformed},
		"another that is not readable": {[]string{input2, foreign}, []string{value2, "proxy=:AAAA:"}, "app", ErrMalformed},
		"another with own parameter":   {[]string{input2, strings.Replace(foreign, "thing", `"thing"`, 1)}, []string{value2, "proxy=:AAAA:"}, "app", nil},
		"nine":                         {labels(9, input1[4:]), labels(9, value1[4:]), "", ErrMalformed},
		"value a string":               {[]string{input1}, []string{`sig1="AAAA"`}, "", ErrMalformed},
		"value open":                   {[]string{input1}, []string{"sig1=:AAAA"}, "", ErrMalformed},
		"value without padding":        {[]string{input1}, []string{"sig1=:AA:"}, "", ErrMalformed},
		"value with parameter":         {[]string{input1}, []string{value1 + ";a"}, "", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := post()
			m.Header["Signature-Input"], m.Header["Signature"] = tt.inputs, tt.values
			wantErr(t, check(m, Policy{Tag: tt.tag}, shared), tt.want)
		})
	}
}

func labels(n int, rest string) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = string(rune('a'+i)) + rest
	}
	return lines
}

// A field is what its lines say, in their order; how they are folded does not matter.
func TestFieldForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lines []string
		want  error
	}{
		"as signed":        {[]string{"a b", "c"}, nil},
		"one line":         {[]string{"a b, c"}, nil},
		"blanks":           {[]string{" \ta b ", "c\t"}, nil},
		"folded":           {[]string{"a\r\n  b", "c"}, nil},
		"folded by a tab":  {[]string{"a \n\t b", "c"}, nil},
		"other order":      {[]string{"c", "a b"}, ErrInvalid},
		"line gone":        {[]string{"a b"}, ErrInvalid},
		"line more":        {[]string{"a b", "c", ""}, ErrInvalid},
		"inner blanks":     {[]string{"a  b", "c"}, ErrInvalid},
		"without blank":    {[]string{"a b,c"}, ErrInvalid},
		"case":             {[]string{"A b", "c"}, ErrInvalid},
		"line end":         {[]string{"a b\nc"}, ErrValue},
		"next component":   {[]string{"a b, c\n\"@method\": GET"}, ErrValue},
		"carriage return":  {[]string{"a\rb", "c"}, ErrValue},
		"NUL":              {[]string{"a\x00b", "c"}, ErrValue},
		"not ASCII":        {[]string{"ä b", "c"}, ErrValue},
		"nothing":          {nil, ErrMissing},
		"line, but no key": {[]string{}, ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := signer(), post()
			s.Components = append(DefaultComponents(BodyPresent), "x-list")
			m.Header["X-List"] = []string{"a b", "c"}
			m = signed(t, s, m)
			m.Header["X-List"] = tt.lines
			wantErr(t, check(m, Policy{}, shared), tt.want)
		})
	}
}

// With bs two lines are not one line with a comma.
func TestByteSequenceComponent(t *testing.T) {
	t.Parallel()
	s, m := signer(), post()
	s.Components = append(DefaultComponents(BodyPresent), "x-list;bs", "x-list")
	m.Header["X-List"] = []string{"a", "b"}
	m = signed(t, s, m)
	wantErr(t, check(m, Policy{}, shared), nil)
	m.Header["X-List"] = []string{"a, b"}
	wantErr(t, check(m, Policy{}, shared), ErrInvalid)
}

// The bytes of a public key are no secret: the key, not the message, says what they are.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := signer()
	s.Key = must(HMACKey(public)) // what an attacker makes of a public key
	m := signed(t, s, post())
	wantErr(t, check(m, Policy{}, must(Ed25519PublicKey(public))), ErrInvalid)
	m = raw(t, `("@method" "@target-uri" "content-digest");created=1782907200;keyid="k1";nonce="n1";alg="hmac-sha256"`)
	wantErr(t, check(m, Policy{}, must(Ed25519PublicKey(public))), ErrAlgorithm)
	wantErr(t, check(m, Policy{}, nil), ErrInvalid)
	wantErr(t, check(m, Policy{}, SharedKey{}), ErrInvalid)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	p := Policy{MaxAge: 10 * time.Second, Skew: time.Second}
	m := raw(t, `("@method" "@target-uri" "content-digest");created=1782907200;expires=1782907205;keyid="k1";nonce="n1"`)
	s, err := Parse(m, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{
		{-time.Second, ErrFuture}, {-time.Second + 1, nil}, {0, nil},
		{5*time.Second - 1, nil}, {5 * time.Second, ErrExpired}, {10 * time.Second, ErrStale},
	} {
		wantErr(t, s.CheckTime(noon.Add(tt.after)), tt.want)
	}
	if want := noon.Add(5 * time.Second); !s.Until().Equal(want) {
		t.Errorf("until %v, want %v", s.Until(), want)
	}
	s.Expires = time.Time{}
	if want := noon.Add(10 * time.Second); !s.Until().Equal(want) {
		t.Errorf("until %v, want %v", s.Until(), want)
	}
	wantErr(t, s.CheckTime(noon.Add(10*time.Second-1)), nil)
	wantErr(t, s.CheckTime(s.Until()), ErrStale)
}

// Parse writes nothing: a message can be shared.
func TestParseLeavesMessage(t *testing.T) {
	t.Parallel()
	m := signed(t, signer(), post())
	before := *m
	before.Header = maps.Clone(m.Header)
	if err := check(m, Policy{}, shared); err != nil {
		t.Fatal(err)
	}
	same := maps.EqualFunc(before.Header, m.Header, slices.Equal[[]string]) && before.Target == m.Target && before.Authority == m.Authority
	if !same {
		t.Error("the message changed")
	}
	if http.Header(m.Header).Get("Signature-Input") == "" {
		t.Error("the header is not canonical")
	}
}

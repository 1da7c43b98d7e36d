// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package spoe

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/seed14544106/gatehouse"
	"github.com/seed14544106/gatehouse/internal/spop"
)

// question is the name of the message, and the arguments that it has.
const question = "check-request"

// The arguments, by their place in facts.
const (
	argMethod = iota
	argTarget
	argHost
	argScheme
	argSource
	argHeader
	argWaited
	argBody
	argBodySize
	argCount
)

var argNames = [argCount]string{"method", "target", "host", "scheme", "src", "hdrs", "waited", "body", "body_size"}

// asked is what HAProxy says of a request.
type asked struct {
	gatehouse.Request
	cut bool // the body was waited for, and yet it is not known to be whole
}

// read takes the request out of the one message of a question. size is that of the
// question, limit that of a frame. wrong names what is missing, repeated or malformed;
// empty: nothing is.
func (a *Agent) read(messages []spop.Message, size, limit int) (q asked, wrong string) {
	if len(messages) != 1 || messages[0].Name != question {
		return q, question
	}
	facts, wrong := arguments(messages[0].Args)
	if wrong != "" {
		return q, wrong
	}
	wrong = a.fill(&q, &facts, size, limit)
	return q, wrong
}

// arguments puts each argument in its place. Those of the body may be missing.
func arguments(args []spop.Item) (facts [argCount]spop.Data, wrong string) {
	var seen [argCount]bool
next:
	for _, arg := range args {
		for i, name := range argNames {
			if arg.Name == name && !seen[i] {
				facts[i], seen[i] = arg.Value, true
				continue next
			}
		}
		return facts, "an argument that is unknown or there twice"
	}
	for i := range argBody {
		if !seen[i] {
			return facts, argNames[i]
		}
	}
	return facts, ""
}

func (a *Agent) fill(q *asked, facts *[argCount]spop.Data, size, limit int) (wrong string) {
	var texts [argSource]string
	for i := range texts {
		text, ok := facts[i].Text()
		if !ok || !valid(i, text) {
			return argNames[i]
		}
		texts[i] = text
	}
	q.Method, q.Target, q.Authority, q.Scheme = texts[argMethod], texts[argTarget], texts[argHost], texts[argScheme]
	if q.Target == "*" && q.Method != http.MethodOptions {
		return argNames[argTarget]
	}
	src := facts[argSource].Addr()
	if !src.IsValid() {
		return argNames[argSource]
	}
	var fields int
	if q.Header, fields = header(facts[argHeader]); q.Header == nil {
		return argNames[argHeader]
	}
	if host, ok, _ := q.Header.One("Host"); !ok || host != q.Authority {
		return argNames[argHost] // a service could read another one than was judged
	}
	delete(q.Header, "Host") // as net/http has it

	carrier := http.Request{RemoteAddr: netip.AddrPortFrom(src, 0).String(), Header: http.Header(q.Header)}
	if q.Peer = a.proxies.Peer(&carrier); a.proxies.Secure(&carrier) {
		q.Scheme = "https"
	}
	return q.body(facts, size+perField*fields <= limit/2-perFrame)
}

// What HAProxy's buffer may hold beyond the bytes of a question: eight bytes and a rounding
// for each field, and a little for all.
const (
	perField = 16
	perFrame = 1 << 10
)

// body states what is known of the body. It is present where HAProxy waited for it and
// has it whole.
//
// With a Content-Length that can be seen. Without one HAProxy does not say whether it saw
// the end or only had no more room: there small has to say that it did have room. A
// frame has at most the size of HAProxy's buffer, of which at most one half is reserved
// for what it adds itself, so what fills less than half of a frame did not fill the buffer.
func (q *asked) body(facts *[argCount]spop.Data, small bool) (wrong string) {
	waited, body, size := facts[argWaited], facts[argBody], facts[argBodySize]
	if waited.Kind != spop.KindBool {
		return argNames[argWaited]
	}
	if waited.Num == 0 {
		return ""
	}
	if body.Kind != spop.KindBinary && body.Kind != spop.KindNull {
		return argNames[argBody]
	}
	if size.Kind != spop.KindInt64 {
		return argNames[argBodySize]
	}
	whole := uint64(len(body.Bytes)) == size.Num
	switch lengths := q.Header["Content-Length"]; len(lengths) {
	case 0:
		whole = whole && small
	case 1:
		whole = whole && lengths[0] == strconv.Itoa(len(body.Bytes))
	default:
		whole = false
	}
	if q.cut = !whole; whole {
		q.Body = gatehouse.Body{State: gatehouse.BodyPresent, Bytes: body.Bytes}
	}
	return ""
}

// valid reports whether a text is of the argument's form.
func valid(arg int, text string) bool {
	switch arg {
	case argMethod:
		return token(text)
	case argTarget:
		return text == "*" || strings.HasPrefix(text, "/") && visible(text) && !strings.Contains(text, "#")
	case argHost:
		return text != "" && visible(text) && !strings.ContainsAny(text, "@/\\#?,")
	default:
		return text == "http" || text == "https"
	}
}

// header reads HAProxy's list of fields, each as it came: a length, the name in lower
// case, a length, the value; two empty ones end it. Nil: it is no such list. fields is how
// many there are.
func header(d spop.Data) (h gatehouse.Header, fields int) {
	if d.Kind != spop.KindBinary {
		return nil, 0
	}
	pairs, err := spop.ParsePairs(d.Bytes)
	if err != nil {
		return nil, 0
	}
	h = gatehouse.Header{}
	for _, p := range pairs {
		if strings.HasPrefix(p.Name, ":") {
			continue // of HTTP/2: no field
		}
		if !token(p.Name) || strings.ContainsAny(p.Value, "\r\n\x00") {
			return nil, 0
		}
		name := textproto.CanonicalMIMEHeaderKey(p.Name)
		h[name] = append(h[name], p.Value)
	}
	return h, len(pairs)
}

// token reports whether a text is one of RFC 9110 section 5.6.2.
func token(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return text != ""
}

// visible reports whether a text has neither spaces nor control characters.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] == 0x7f {
			return false
		}
	}
	return true
}

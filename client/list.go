// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// pageLimit is how many records a list asks for at a time.
const pageLimit = 500

// Page says which part of a list is wanted.
type Page struct {
	Cursor string // of the page, as Next of the page before; empty: the first
	Limit  int    // records at most; zero: the server's default
}

func (p Page) add(q url.Values) url.Values {
	add(q, "cursor", p.Cursor)
	if p.Limit != 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return q
}

// add sets a parameter that is not empty.
func add(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// addTime sets a parameter that is not zero.
func addTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

// path is a path with its query.
func path(p string, q url.Values) string {
	if len(q) == 0 {
		return p
	}
	return p + "?" + q.Encode()
}

// What a server may not answer.
var (
	errCursor = errors.New("read list: the server gave the same page again")
	errCount  = errors.New("read answer: not as many answers as were asked for")
)

// each yields the records of all pages. The first error ends it.
func each[T any](page func(Page) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		at := Page{Limit: pageLimit}
		for {
			records, next, err := page(at)
			if err == nil && next != "" && next == at.Cursor {
				err = errCursor
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			at.Cursor = next
		}
	}
}

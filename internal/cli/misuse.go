// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// exitCodes stand in the help.
const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong use, 3 denied: a server answered 401 or 403, or what a command asked about would not pass."

// misuse says what is wrong with a command line that cannot be read, and gives the exit code.
// Where a command is expected and there is no word, the help is the answer.
func misuse(parser *kong.Kong, w io.Writer, err error) int {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if ok && strings.HasPrefix(err.Error(), "expected one of ") {
		parser.Stdout = w
		if wrong.Context.PrintUsage(false) == nil {
			return exitUsage
		}
	}
	text := strings.Replace(err.Error(), `,"" but got`, " but got", 1) // no word is the flag's absence
	if rest, unexpected := strings.CutPrefix(text, "unexpected argument "); ok && unexpected {
		node := wrong.Context.Selected()
		if node == nil {
			node = wrong.Context.Model.Node
		}
		text = strange(node, rest)
	}
	_, _ = fmt.Fprintln(w, "gatehouse:", printable(text))
	return exitUsage
}

// plainWord is what may be repeated of a command line: secrets look otherwise.
var plainWord = regexp.MustCompile(`^[a-z]{1,20}$`)

// strange says of a word that it has no place behind a command. A command that takes a secret
// has the tag secret, which says where from; what stands behind it is never repeated.
func strange(node *kong.Node, rest string) string {
	word, near, _ := strings.Cut(rest, ", did you mean ")
	what, see := "unexpected argument", "see "+node.FullPath()+" --help"
	switch {
	case node.Tag != nil && node.Tag.Has("secret"):
		return what + " (" + see + "; " + node.Tag.Get("secret") + ")"
	case !node.Leaf():
		what = "unknown command"
	}
	if plainWord.MatchString(word) {
		what += fmt.Sprintf(" %q", word)
	}
	if near != "" {
		what += ": did you mean " + near
	}
	return what + " (" + see + ")"
}

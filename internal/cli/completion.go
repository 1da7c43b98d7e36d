// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// The shells' scripts ask the program itself for the words that fit, so that they never
// lag behind it. Where none fits, the shell offers files.
var shells = map[string]string{
	"bash": `_gatehouse() {
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _gatehouse gatehouse
`,
	"zsh": `#compdef gatehouse
_gatehouse() {
	local -a fitting
	fitting=(${(f)"$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
	if (( $#fitting )); then compadd -- $fitting; else _files; fi
}
compdef _gatehouse gatehouse
`,
	"fish": `complete -c gatehouse -a '(gatehouse completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
}

type completionCommand struct {
	Shell string   `arg:"" enum:"bash,zsh,fish,words" help:"bash, zsh or fish. To use it: source <(gatehouse completion bash) · gatehouse completion zsh > a file _gatehouse in $fpath · gatehouse completion fish | source"`
	Words []string `arg:"" optional:"" hidden:"" help:"With words: a command line, of which the last word is completed."`
}

func (c *completionCommand) Run(e *env, k *kong.Context) error {
	text := shells[c.Shell]
	if c.Shell == "words" {
		for _, word := range fitting(k.Model.Node, c.Words) {
			text += word + "\n"
		}
	}
	if _, err := fmt.Fprint(e.Out, text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// fitting lists the words that may stand in place of the last one.
func fitting(root *kong.Node, line []string) []string {
	if len(line) == 0 {
		line = []string{""}
	}
	node, flags := root, root.Flags
	var wants *kong.Flag // the value of this flag comes next
	for _, word := range line[:len(line)-1] {
		if wants != nil {
			wants = nil
			continue
		}
		if strings.HasPrefix(word, "-") {
			wants = valued(flags, word)
			continue
		}
		if i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word }); i >= 0 {
			node = node.Children[i]
			flags = append(slices.Clone(flags), node.Flags...)
		}
	}
	return beginning(line[len(line)-1], candidates(node, flags, wants, line[len(line)-1]))
}

// valued is the flag that a word names, where its value is the next word.
func valued(flags []*kong.Flag, word string) *kong.Flag {
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) })
	if i < 0 || flags[i].IsBool() {
		return nil
	}
	return flags[i]
}

func candidates(node *kong.Node, flags []*kong.Flag, wants *kong.Flag, word string) (out []string) {
	switch {
	case wants != nil && wants.Enum != "":
		return wants.EnumSlice()
	case wants != nil:
		return nil
	case strings.HasPrefix(word, "-"):
		for _, f := range flags {
			if !f.Hidden {
				out = append(out, "--"+f.Name)
			}
		}
		return out
	}
	for _, n := range node.Children {
		if !n.Hidden {
			out = append(out, n.Name)
		}
	}
	for _, arg := range node.Positional {
		out = append(out, arg.EnumSlice()...)
	}
	return out
}

// beginning are the words with this beginning, sorted.
func beginning(with string, words []string) []string {
	var out []string
	for _, w := range words {
		if w != "" && strings.HasPrefix(w, with) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

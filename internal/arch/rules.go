// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rules is the meaning of rules.txt, whose head explains the format. The zero value knows no package,
// so every package breaks it.
type Rules struct {
	rooms   map[string]room // by folder
	public  []string        // folders whose packages may import what is public
	testMay []string        // modules for every _test.go file
}

// room is one line of rules.txt.
type room struct {
	floor   int
	kit     bool
	below   []int    // the floors that it may import
	may     []string // names for every file
	testMay []string // names for _test.go files
}

// ParseRules reads the text of rules.txt. It fails with the number of the first line that it does not
// understand, that names a package twice, or that points an arrow up.
func ParseRules(text string) (Rules, error) {
	r := Rules{rooms: map[string]room{}}
	var heading *room
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		if line[0] == ' ' || line[0] == '\t' {
			err = r.addRoom(heading, words)
		} else {
			heading, err = r.addHeading(words)
		}
		if err != nil {
			return Rules{}, fmt.Errorf("rules.txt line %d: %w", i+1, err)
		}
	}
	if err := r.pointsDown(); err != nil {
		return Rules{}, fmt.Errorf("rules.txt: %w", err)
	}
	return r, nil
}

// addHeading returns the room that the packages below the heading begin as, or nil where none follow.
func (r *Rules) addHeading(words []string) (*room, error) {
	head := strings.Join(words, " ")
	switch {
	case (words[0] == "floor" || words[0] == "kit") && len(words) >= 2:
		return r.addFloor(words)
	case words[0] == "under" && len(words) == 4 && words[2] == "imports" && words[3] == "public":
		r.public = append(r.public, words[1])
		return nil, nil
	case words[0] == "tests" && len(words) >= 3 && words[1] == "use":
		r.testMay = append(r.testMay, words[2:]...)
		return nil, nil
	}
	return nil, fmt.Errorf("%q is no heading", head)
}

func (r *Rules) addFloor(words []string) (*room, error) {
	floor, err := strconv.Atoi(words[1])
	if err != nil {
		return nil, fmt.Errorf("%q is no floor", words[1])
	}
	h := &room{floor: floor, kit: words[0] == "kit"}
	if len(words) > 2 && words[2] != "imports" {
		return nil, fmt.Errorf("%q stands where \"imports\" is expected", words[2])
	}
	for _, w := range words[min(3, len(words)):] {
		m, err := strconv.Atoi(w)
		if err != nil || m >= floor {
			return nil, fmt.Errorf("floor %d may not import floor %s: arrows point down only", floor, w)
		}
		h.below = append(h.below, m)
	}
	return h, nil
}

func (r *Rules) addRoom(heading *room, words []string) error {
	if heading == nil {
		return fmt.Errorf("package %s stands below no floor", words[0])
	}
	if _, ok := r.rooms[words[0]]; ok {
		return fmt.Errorf("package %s has two lines", words[0])
	}
	one := *heading
	var list *[]string
	for _, w := range words[1:] {
		switch {
		case w == ">":
			list = &one.may
		case w == "test>":
			list = &one.testMay
		case list == nil:
			return fmt.Errorf("%q stands where \">\" is expected", w)
		default:
			*list = append(*list, w)
		}
	}
	r.rooms[words[0]] = one
	return nil
}

// pointsDown refuses a line that lets a package import one of a higher floor, a kit, or one that has no
// line. Names after "test>" are free: a test outside its package may look up.
func (r *Rules) pointsDown() error {
	for name, from := range r.rooms {
		for _, to := range from.may {
			if isModule(to) {
				continue
			}
			target, ok := r.rooms[to]
			switch {
			case !ok:
				return fmt.Errorf("%s names %s, which has no line", name, to)
			case target.floor > from.floor:
				return fmt.Errorf("%s may not name %s: arrows point down only", name, to)
			case target.kit && !from.kit:
				return fmt.Errorf("%s may not name %s: it is for tests only", name, to)
			}
		}
	}
	return nil
}

// isModule tells a third-party name from a package of ours: its first element is a host name.
func isModule(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return name != "." && strings.Contains(first, ".")
}

// covers reports whether one of the names is the path or a folder above it.
func covers(names []string, path string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return path == n || strings.HasPrefix(path, n+"/")
	})
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// EnvPrefix begins the name of every environment variable read.
const EnvPrefix = "GATEHOUSE_"

// clientVariables are read by the command line itself and are no settings of the server.
var clientVariables = []string{"TOKEN", "SERVER", "PROFILE", "CONFIG", "KEY_ID", "KEY_SECRET", "KEY_TOKEN", "PRIVATE_KEY_FILE", "IMPORT_MYSQL", "IMPORT_POSTGRES"}

// Load reads the configuration. Later sources win: defaults, the file at path (empty:
// none), the environment (as of os.Environ), flags (by key). An unknown key, an
// unreadable file and a value of the wrong kind are errors that name the key and the
// source, never the value; all that are found are told, one a line.
func Load(path string, environ []string, flags map[string]string) (Config, error) {
	var c Config
	set := settings(&c)
	for _, s := range set {
		if err := s.put(s.fallback); err != nil {
			return Config{}, fmt.Errorf("default of %s: %w", s.key, err)
		}
	}
	file, lines, err := readFile(path)
	if err != nil {
		return Config{}, err
	}
	var wrong []error
	for _, source := range []struct {
		name   string
		values map[string]string
		lines  map[string]int
	}{{path, file, lines}, {"environment", fromEnviron(environ, set), nil}, {"flags", flags, nil}} {
		keys := slices.SortedFunc(maps.Keys(source.values), func(a, b string) int {
			return cmp.Or(source.lines[a]-source.lines[b], strings.Compare(a, b))
		})
		for _, key := range keys {
			if err := put(set, key, source.values[key]); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %s%w", source.name, ofLine(source.lines[key]), err))
			}
		}
	}
	if err := errors.Join(append(wrong, c.check())...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// put parses text into the setting with this key.
func put(set []setting, key, text string) error {
	i := slices.IndexFunc(set, func(s setting) bool { return s.key == key })
	if i < 0 {
		return fmt.Errorf("unknown setting %q", key)
	}
	if err := set[i].put(text); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// setting is one field of Config, found by its tags.
type setting struct {
	key, env, fallback, help string
	secret                   bool
	value                    reflect.Value
}

// settings lists the fields of c in order.
func settings(c *Config) []setting {
	var out []setting
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f, tag := v.Field(i), v.Type().Field(i).Tag
			if f.Kind() == reflect.Struct {
				walk(f)
				continue
			}
			out = append(out, setting{tag.Get("key"), tag.Get("env"), tag.Get("default"), tag.Get("help"), tag.Get("secret") == "true", f})
		}
	}
	walk(reflect.ValueOf(c).Elem())
	return out
}

// EnvName returns the environment variable of a key.
func EnvName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// zeroMeans finds in a help what the value 0 means. Other durations cannot be 0.
var zeroMeans = regexp.MustCompile(`; 0: `)

// put parses text into the field. Lists are separated by commas.
func (s setting) put(text string) error {
	switch p := s.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("is neither true nor false")
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1e6 {
			return errors.New("is no whole number from 1 to 1000000")
		}
		*p = n
	case *float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f > 1e6 {
			return errors.New("is no number from 0 to 1000000")
		}
		*p = f
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d == 0 && !zeroMeans.MatchString(s.help) {
			return errors.New("is no duration such as 30m")
		}
		*p = d
	case *[]string:
		*p = splitList(text)
	case *[]netip.Prefix:
		var all []netip.Prefix
		for _, w := range splitList(text) {
			n, err := netip.ParsePrefix(w)
			if err != nil {
				return errors.New("holds something that is no network such as 10.0.0.0/8")
			}
			all = append(all, n.Masked())
		}
		*p = all
	default:
		panic("config: a field of a kind that put does not know: " + s.key)
	}
	return nil
}

func splitList(text string) []string {
	var out []string
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// readFile reads a TOML file as text by key, and the lines of the keys.
func readFile(path string) (map[string]string, map[string]int, error) {
	if path == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	values, err := parse(path, text)
	return values, linesOf(string(text)), err
}

// tomlLine is a line that begins a table, or sets a plain key.
var tomlLine = regexp.MustCompile(`^\s*(?:\[\s*([\w.-]+)\s*\]|([\w.-]+)\s*=)`)

// linesOf finds keys in a TOML file, from 1. What is written in another way, as in a table on
// one line, has none: an error of it names the key alone.
func linesOf(text string) map[string]int {
	out, prefix, n := map[string]int{}, "", 0
	for line := range strings.Lines(text) {
		n++
		switch m := tomlLine.FindStringSubmatch(line); {
		case m == nil:
		case m[1] != "":
			prefix = m[1] + "."
		default:
			out[prefix+m[2]] = n
		}
	}
	return out
}

// ofLine is the place of an error; empty for a line that is not known.
func ofLine(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("line %d: ", n)
}

func parse(path string, text []byte) (map[string]string, error) {
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		// The parser quotes the line it stumbled over, which may hold a secret.
		return nil, fmt.Errorf("%s: is not TOML%s", path, place(err))
	}
	out := map[string]string{}
	if err := flatten(out, "", tree); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// place says where the parser stumbled, and nothing of what stands there.
func place(err error) string {
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := e.Position()
		return fmt.Sprintf(": line %d", line)
	}
	return ""
}

// flatten writes the values of a tree of tables into out, by dotted key.
func flatten(out map[string]string, prefix string, tree map[string]any) error {
	for name, v := range tree {
		key := prefix + name
		if sub, ok := v.(map[string]any); ok {
			if err := flatten(out, key+".", sub); err != nil {
				return err
			}
			continue
		}
		text, err := asText(v)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		out[key] = text
	}
	return nil
}

// Decode reads a TOML file of its own into v, a pointer to a struct whose fields are
// named as the keys, in any case. An unknown key is an error.
func Decode(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(v); err != nil {
		if e, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(e.Errors) > 0 {
			return fmt.Errorf("%s: unknown setting %q", path, strings.Join(e.Errors[0].Key(), "."))
		}
		return fmt.Errorf("%s: is not what is expected here%s", path, place(err))
	}
	return nil
}

func asText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64, float64:
		return fmt.Sprint(v), nil
	case []any:
		var words []string
		for _, e := range v {
			w, ok := e.(string)
			if !ok || strings.Contains(w, ",") {
				return "", errors.New("is a list of something other than plain words")
			}
			words = append(words, w)
		}
		return strings.Join(words, ","), nil
	}
	return "", errors.New("has a value of a kind that no setting takes")
}

// fromEnviron reads the variables that begin with EnvPrefix, and those that other programs
// know too. One that names no setting keeps its own name, so that Load refuses it.
func fromEnviron(environ []string, set []setting) map[string]string {
	ours, foreign := map[string]string{}, map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		key := name
		for _, s := range set {
			switch name {
			case EnvName(s.key):
				key = s.key
			case s.env:
				foreign[s.key] = value
			}
		}
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(clientVariables, strings.TrimPrefix(name, EnvPrefix)) {
			ours[key] = value
		}
	}
	maps.Copy(foreign, ours)
	return foreign
}

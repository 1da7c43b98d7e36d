// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed14544106/gatehouse"
)

var sameNetwork = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// lookedUp is a row as look-up reads it: keyFields, principalFields, tenantFields.
func lookedUp(t testing.TB, rec *gatehouse.Record) Row {
	t.Helper()
	k, p := &rec.Key, &rec.Principal
	args, err := keyArgs(k)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := limitList(p.Limits)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := limitList(rec.Tenant.Limits)
	if err != nil {
		t.Fatal(err)
	}
	fields := append(args[:16:16], args[18], micros(k.LastUsed), k.Version, args[19], args[20], args[21], args[22], args[23],
		principalKindName(p.Kind), p.UID, p.Email, p.Username, p.Role, p.Level, p.State, p.Referral, flag(p.SecondFactor), p.Version, owner, rec.Tenant.State, tenant)
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = fmt.Sprint(f)
	}
	return Row{strings.Join(texts, separator), args[16]}
}

// samePacked packs a record and reads it back.
func samePacked(t rapid.TB, k *Packer, rec *gatehouse.Record) {
	t.Helper()
	var back gatehouse.Record
	if !k.unpack(k.Pack(rec), &back) {
		t.Fatalf("%+v is not read back", rec)
	}
	if diff := cmp.Diff(rec, &back, sameNetwork); diff != "" {
		t.Fatal(diff)
	}
}

// anyRecord draws a record that can be stored.
func anyRecord(t *rapid.T) *gatehouse.Record {
	var (
		text = rapid.OneOf(
			rapid.SampledFrom(append(usual[:], "00", "0A", "abc", "deadbeef", "DEADBEEF", strings.Repeat("0f", 70))),
			rapid.StringMatching(`[0-9a-f]{0,40}`), rapid.StringMatching(`[0-9A-Za-z_@.:/-]{0,200}`),
			rapid.String().Filter(func(s string) bool { return storable(s) }),
		)
		texts  = rapid.SliceOfN(text, 0, 5)
		number = rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
		now    = time.Now().UTC().Truncate(time.Microsecond)
		moment = rapid.OneOf(
			rapid.Map(number, func(n int64) time.Time { return asStored(time.UnixMicro(n)) }),
			rapid.Map(rapid.Int64Range(-2, 1<<40), func(n int64) time.Time { return now.Add(time.Duration(n) * time.Microsecond) }),
			rapid.Just(time.Time{}),
		)
		flag    = rapid.Bool()
		network = rapid.Custom(func(t *rapid.T) netip.Prefix {
			b := rapid.SampledFrom([]int{4, 16}).Draw(t, "length")
			a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), b, b).Draw(t, "address"))
			return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
		})
		limits = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) gatehouse.Limit {
			return gatehouse.Limit{
				Name: text.Draw(t, "name"), Count: number.Draw(t, "count"), Period: time.Duration(number.Draw(t, "period")),
				Burst: number.Draw(t, "burst"), Refill: gatehouse.Refill(rapid.Uint8Range(0, 4).Draw(t, "refill")),
			}
		}), 0, 3)
		materials = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) gatehouse.Material {
			return gatehouse.Material{
				Version: rapid.Int64Range(1, 300).Draw(t, "version"), Kind: gatehouse.MaterialKind(rapid.Uint8Range(1, 3).Draw(t, "kind")), Ref: text.Draw(t, "ref"),
				Data: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data"), Created: moment.Draw(t, "created"), NotAfter: moment.Draw(t, "end"),
			}
		}), 0, 3, func(m gatehouse.Material) int64 { return m.Version })
	)
	r := &gatehouse.Record{Tenant: gatehouse.TenantBrief{State: gatehouse.TenantState(text.Draw(t, "tenant")), Limits: limits.Draw(t, "limits")}}
	r.Key = gatehouse.Key{
		ID: text.Draw(t, "id"), Tenant: text.Draw(t, "tenant"), Principal: text.Draw(t, "principal"), Name: text.Draw(t, "name"), Prefix: text.Draw(t, "prefix"),
		Schemes: texts.Draw(t, "schemes"), Networks: rapid.SliceOfN(network, 0, 3).Draw(t, "networks"), Limits: limits.Draw(t, "limits"),
		Methods: texts.Draw(t, "methods"), Paths: texts.Draw(t, "paths"), Signed: flag.Draw(t, "signed"),
		Metadata: rapid.MapOfN(text, text, 0, 3).Draw(t, "metadata"), Replay: gatehouse.ReplayMode(rapid.Uint8Range(0, 1).Draw(t, "replay")),
		State: gatehouse.State(rapid.Uint8Range(1, 3).Draw(t, "state")), StateText: text.Draw(t, "state"),
		NotBefore: moment.Draw(t, "begin"), Expires: moment.Draw(t, "end"), Unused: time.Duration(number.Draw(t, "unused")), LastUsed: moment.Draw(t, "used"),
		Created: moment.Draw(t, "created"), Updated: moment.Draw(t, "updated"), Deleted: moment.Draw(t, "deleted"),
		Materials: materials.Draw(t, "materials"), Version: number.Draw(t, "version"),
	}
	for _, s := range texts.Draw(t, "scopes") {
		r.Key.Scopes = append(r.Key.Scopes, gatehouse.Scope(s))
	}
	r.Principal = gatehouse.Principal{
		Kind: gatehouse.PrincipalKind(rapid.Uint8Range(1, 2).Draw(t, "kind")), UID: text.Draw(t, "uid"), Email: text.Draw(t, "email"), Username: text.Draw(t, "username"),
		Role: text.Draw(t, "role"), Level: int(number.Draw(t, "level")), Referral: text.Draw(t, "referral"), Limits: limits.Draw(t, "limits"),
		State:        rapid.SampledFrom([]gatehouse.PrincipalState{gatehouse.PrincipalActive, gatehouse.PrincipalBanned, gatehouse.PrincipalDeleted}).Draw(t, "state"),
		SecondFactor: flag.Draw(t, "factor"), Version: number.Draw(t, "version"),
	}
	return r
}

// TestPackRows reads rows, as they come from a database, and packs the records: nothing that
// a row says is lost or changed.
func TestPackRows(t *testing.T) {
	t.Parallel()
	k := NewPacker()
	rapid.Check(t, func(r *rapid.T) {
		var read gatehouse.Record
		if err := recordOf(lookedUp(t, anyRecord(r)), &read); err != nil {
			r.Fatal(err)
		}
		samePacked(r, k, &read)
	})
}

// FuzzPackRow packs what can be read of any row.
func FuzzPackRow(f *testing.F) {
	row := lookedUp(f, fullRecord())
	text, materials := row[0].(string), row[1].([]byte)
	f.Add(text, materials)
	f.Add(strings.ReplaceAll(text, `["text"]`, "[]"), materials)
	k := NewPacker()
	f.Fuzz(func(t *testing.T, text string, materials []byte) {
		var read gatehouse.Record
		if recordOf(Row{text, materials}, &read) == nil {
			samePacked(t, k, &read)
		}
	})
}

// FuzzUnpack reads any bytes: as nothing, or as a record that can be packed.
func FuzzUnpack(f *testing.F) {
	k := NewPacker()
	f.Add(k.Pack(fullRecord()))
	f.Add(k.Pack(&gatehouse.Record{}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packed []byte) {
		var rec gatehouse.Record
		if k.unpack(packed, &rec) {
			samePacked(t, k, &rec)
		}
	})
}

// fullRecord has something in every field.
func fullRecord() *gatehouse.Record {
	rec := new(gatehouse.Record)
	fillValue(reflect.ValueOf(rec).Elem())
	rec.Principal.ID, rec.Principal.Tenant, rec.Principal.State = rec.Key.Principal, rec.Key.Tenant, gatehouse.PrincipalBanned
	return rec
}

func fillValue(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.UnixMicro(1_700_000_000_123_456).UTC()
		return
	case *netip.Prefix:
		*x = netip.MustParsePrefix("192.0.2.0/24")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), reflect.ValueOf("b"))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		panic("a field of a kind that nobody packs: " + v.Type().String())
	}
}

// TestPackFields: a field that the ground adds to a record, and that is not packed, would be
// missing from every second answer.
func TestPackFields(t *testing.T) {
	t.Parallel()
	k := NewPacker()
	samePacked(t, k, fullRecord())
	samePacked(t, k, &gatehouse.Record{})
}

// TestPackCut reads what is cut short: it is no record.
func TestPackCut(t *testing.T) {
	t.Parallel()
	k := NewPacker()
	whole := k.Pack(fullRecord())
	for n := range whole {
		if k.unpack(whole[:n], new(gatehouse.Record)) {
			t.Errorf("%d bytes of %d are read as a record", n, len(whole))
		}
	}
	if k.unpack(append(whole, 0), new(gatehouse.Record)) {
		t.Error("a byte too many is not seen")
	}
}

// TestUsedAt: the last use only moves on.
func TestUsedAt(t *testing.T) {
	t.Parallel()
	k, late := NewPacker(), time.Unix(1_800_000_000, 0).UTC()
	for _, row := range []struct {
		was, use, want time.Time
	}{
		{time.Time{}, time.Time{}, time.Time{}},
		{time.Time{}, late, late},
		{late, time.Time{}, late},
		{late, late, late},
		{late, late.Add(-time.Microsecond), late},
		{late, late.Add(time.Microsecond), late.Add(time.Microsecond)},
		{time.UnixMicro(-5).UTC(), time.UnixMicro(-4).UTC(), time.UnixMicro(-4).UTC()},
	} {
		packed := k.Pack(&gatehouse.Record{Key: gatehouse.Key{LastUsed: row.was}})
		moved := usedAt(packed, row.use)
		var rec gatehouse.Record
		if !k.unpack(packed, &rec) || !rec.Key.LastUsed.Equal(row.want) || moved == row.was.Equal(row.want) {
			t.Errorf("used at %v, then at %v: %v, moved %v", row.was, row.use, rec.Key.LastUsed, moved)
		}
	}
}

// bearerRecord is a record of the usual kind.
func bearerRecord() *gatehouse.Record {
	now := time.UnixMicro(1_700_000_000_123_456).UTC()
	return &gatehouse.Record{
		Key: gatehouse.Key{
			ID: "UL3LwP7qAHRg", Tenant: gatehouse.DefaultTenant, Principal: "7f1c5fe49a0a8f7e6ec62aaad7701e29", Name: "mobile app", Prefix: "gh", Schemes: []string{"bearer"},
			Scopes: gatehouse.Scopes{"orders:read", "orders:write"}, State: gatehouse.StateActive, Created: now, Updated: now, Version: 1,
			Materials: []gatehouse.Material{{Version: 1, Kind: gatehouse.MaterialDigest, Ref: "5tmyqpccgkzi", Data: make([]byte, 32), Created: now}},
		},
		Principal: gatehouse.Principal{
			ID: "7f1c5fe49a0a8f7e6ec62aaad7701e29", Tenant: gatehouse.DefaultTenant, Kind: gatehouse.PrincipalAccount, UID: "ID0A1B2C3D4E", Email: "person.1234567@example.com",
			Role: "member", Level: 3, State: gatehouse.PrincipalActive, Version: 1,
		},
		Tenant: gatehouse.TenantBrief{State: gatehouse.TenantActive},
	}
}

// TestPackIsSmall: what a usual record takes, and the objects that it is read into. A million
// are to take 300 MB at most, with 45 bytes around each (BenchmarkCollect).
func TestPackIsSmall(t *testing.T) {
	c := newCache(nil, 1<<20)
	rec := bearerRecord()
	packed := c.packer.Pack(rec)
	if len(packed) > 170 {
		t.Errorf("a usual record takes %d bytes", len(packed))
	}
	c.rows.Put(uint64(Place(rec.Key.ID)), packed, c.marks.Stamp(), 0)
	hot := c.hot
	objects := testing.AllocsPerRun(100, func() {
		clear(hot[:1])
		c.hot = hot[:1]
		if c.find(rec.Key.ID, c.begun) == nil {
			t.Fatal("the record is not found")
		}
	})
	if objects > 6 { // the record, its texts, schemes, scopes, materials and the digest
		t.Errorf("it is read into %v objects", objects)
	}
}

// TestPackFullTable: when the table has no room, texts stand in their records.
func TestPackFullTable(t *testing.T) {
	t.Parallel()
	k := NewPacker()
	rec := bearerRecord()
	for i := range mostShared {
		rec.Key.Scopes = gatehouse.Scopes{gatehouse.Scope(label(i))}
		samePacked(t, k, rec)
	}
	if n := len(k.shared.index); n != mostShared {
		t.Errorf("%d texts are shared, want %d", n, mostShared)
	}
	before := len(k.Pack(rec))
	rec.Key.Scopes = gatehouse.Scopes{"one:more"}
	samePacked(t, k, rec)
	if after := len(k.Pack(rec)); after-before > len("one:more") || mostShared != len(k.shared.index) {
		t.Errorf("a text beyond the table takes %d bytes", after-before)
	}
	long := NewPacker()
	rec.Key.Scopes = gatehouse.Scopes{gatehouse.Scope(strings.Repeat("s", longestShared+1))}
	samePacked(t, long, rec)
	if _, known := long.shared.index[string(rec.Key.Scopes[0])]; known {
		t.Error("a long text is shared")
	}
}

// TestPackTogether packs and reads records side by side, whose scopes come up meanwhile.
func TestPackTogether(t *testing.T) {
	t.Parallel()
	c := newCache(nil, 1<<20)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				rec := bearerRecord()
				rec.Key.ID, rec.Key.Scopes = label(i), gatehouse.Scopes{gatehouse.Scope(label(i)), "all"}
				c.rows.Put(uint64(Place(rec.Key.ID)), c.packer.Pack(rec), 0, 0)
				id := label(max(0, i-g))
				if found := c.find(id, c.begun); found != nil && (found.record.Key.ID != id || string(found.record.Key.Scopes[0]) != id) {
					t.Errorf("%s is read as %+v", id, found.record.Key)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkUnpack reads a packed record, beside the row that it was.
func BenchmarkUnpack(b *testing.B) {
	rec, k := bearerRecord(), NewPacker()
	row, packed := lookedUp(b, rec), k.Pack(rec)
	b.Logf("%d bytes, %d of the row", len(packed), len(row[0].(string))+len(row[1].([]byte)))
	b.Run("packed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !k.unpack(packed, new(gatehouse.Record)) {
				b.Fatal("no record")
			}
		}
	})
	b.Run("row", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := recordOf(row, new(gatehouse.Record)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

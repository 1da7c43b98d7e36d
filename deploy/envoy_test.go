// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package deploy_test

import (
	"path/filepath"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	extauthz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3" // types that the files name
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// There is no Envoy here. Its types know every field, and its rules what each may hold.
func TestEnvoyConfigurations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"envoy.yaml", "envoy-http.yaml"} {
		t.Run(name, func(t *testing.T) {
			text, err := yaml.YAMLToJSON([]byte(readFile(t, filepath.Join("envoy", name))))
			if err != nil {
				t.Fatal(err)
			}
			var b bootstrap.Bootstrap
			if err := protojson.Unmarshal(text, &b); err != nil {
				t.Fatal(err)
			}
			found := map[protoreflect.FullName]int{}
			checkRules(t, b.ProtoReflect(), func(m proto.Message) {
				found[m.ProtoReflect().Descriptor().FullName()]++
				switch m := m.(type) {
				case *extauthz.ExtAuthz:
					checkExtAuthz(t, m)
				case *extauthz.ExtAuthzPerRoute:
					checkExtensions(t, m.GetCheckSettings().GetContextExtensions())
				case *cluster.Cluster:
					if m.GetName() == "gatehouse" {
						checkBreakers(t, m)
					}
				case *manager.HttpConnectionManager:
					if !m.GetUseRemoteAddress().GetValue() || !m.GetNormalizePath().GetValue() || !m.GetMergeSlashes() ||
						m.GetPathWithEscapedSlashesAction() != manager.HttpConnectionManager_REJECT_REQUEST {
						t.Error("the client's address or path is not Envoy's to say")
					}
				}
			})
			for _, want := range []protoreflect.FullName{
				"envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
				"envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
			} {
				if found[want] != 1 {
					t.Errorf("%s is there %d times", want, found[want])
				}
			}
		})
	}
}

// checkExtAuthz checks what keeps the gate shut.
func checkExtAuthz(t *testing.T, f *extauthz.ExtAuthz) {
	t.Helper()
	body := f.GetWithRequestBody()
	switch {
	case f.GetFailureModeAllow(), f.GetStatusOnError().GetCode() != 503:
		t.Error("what nobody could judge is not 503")
	case body.GetAllowPartialMessage(), !body.GetPackAsBytes(), body.GetMaxRequestBytes() != 1<<20:
		t.Error("a body is handed on in part, as text, or not as far as Gatehouse reads it")
	case f.GetGrpcService() != nil && (!f.GetEncodeRawHeaders() || f.GetGrpcService().GetTimeout().AsDuration() == 0 || f.GetGrpcService().GetRetryPolicy() != nil):
		t.Error("fields are merged, or a question has no limit of time or is repeated")
	case f.GetClearRouteCache():
		t.Error("what is routed is not what was judged")
	}
}

// checkExtensions checks what a route demands. A name that Gatehouse does not know demands nothing.
func checkExtensions(t *testing.T, said map[string]string) {
	t.Helper()
	if len(said) == 0 {
		t.Error("a route has settings of the check that say nothing")
	}
	for name := range said {
		switch name {
		case "gatehouse.body", "gatehouse.scopes", "gatehouse.any_scope", "gatehouse.signed":
		default:
			t.Errorf("nobody reads the context extension %s", name)
		}
	}
}

// checkBreakers checks that there is an end to what Envoy asks at a time: each question may carry 1 MiB.
func checkBreakers(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	limits := c.GetCircuitBreakers().GetThresholds()
	if len(limits) != 1 {
		t.Fatalf("%d limits of questions at a time, want one", len(limits))
	}
	for _, n := range []uint32{limits[0].GetMaxConnections().GetValue(), limits[0].GetMaxPendingRequests().GetValue(), limits[0].GetMaxRequests().GetValue()} {
		if n == 0 || n > 256 {
			t.Errorf("%d questions at a time", n)
		}
	}
}

// checkRules validates a message and all in it, and calls visit with each, also with those that
// are packed.
func checkRules(t *testing.T, m protoreflect.Message, visit func(proto.Message)) {
	t.Helper()
	visit(m.Interface())
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			t.Error(err)
		}
	}
	if packed, ok := m.Interface().(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		if err != nil {
			t.Error(err)
			return
		}
		checkRules(t, inner.ProtoReflect(), visit)
		return
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					checkRules(t, v.Message(), visit)
					return true
				})
			}
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				checkRules(t, v.List().Get(i).Message(), visit)
			}
		default:
			checkRules(t, v.Message(), visit)
		}
		return true
	})
}

// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"net/url"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed14544106/gatehouse"
)

// parse reads the URL. cluster says that the server must be one.
func parse(text string, timeout time.Duration) (o rueidis.ClientOption, cluster bool, err error) {
	u, err := url.Parse(text)
	if err != nil { // its text would be the URL with the password
		return o, false, invalidURL("it is no URL")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" {
		return o, false, invalidURL("it is not redis://host:port or rediss://host:port")
	}
	query := u.Query()
	for name := range query {
		switch name {
		case "addr", "cluster", "master_set", "sentinel_user", "sentinel_password":
		default:
			return o, false, invalidURL(fmt.Sprintf("unknown option %q", name))
		}
	}
	if cluster = query.Has("cluster"); cluster && (query.Get("cluster") != "true" || query.Has("master_set")) {
		return o, false, invalidURL(`the option "cluster" is true or missing, and not with master_set`)
	}
	if o, err = rueidis.ParseURL(text); err != nil {
		return o, false, invalidURL("the path is a database number")
	}
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server by its own name
	}
	o.Sentinel.Username, o.Sentinel.Password = query.Get("sentinel_user"), query.Get("sentinel_password")
	bound(&o, timeout)
	return o, cluster, nil
}

// refresh is how often clusters and Sentinels are asked who is primary. They also tell, but
// not when the one that was is frozen.
const refresh = 2 * time.Second

// bound sets what keeps calls short and answers with their questions.
func bound(o *rueidis.ClientOption, timeout time.Duration) {
	o.DisableRetry = true
	o.DisableCache = true
	o.ClientSetInfo = rueidis.DisableClientSetInfo // one answer less that can come late
	o.Dialer.Timeout = timeout
	o.Dialer.KeepAlive = 2 * timeout // a silent connection is asked so often, and dropped a timeout later
	o.ConnWriteTimeout = timeout
	o.RingScaleEachConn = 11 // 2,048 commands: what inFlight lets in until a silent connection is dropped
	o.ReadBufferEachConn, o.WriteBufferEachConn = 1<<16, 1<<16
	o.Sentinel.Dialer, o.Sentinel.TLSConfig = o.Dialer, o.TLSConfig
	o.Sentinel.TopologyRefreshInterval = refresh
	o.ClusterOption.ShardsRefreshInterval = refresh
	o.ClusterOption.MaxMovedRedirections = 5
}

func invalidURL(problem string) error {
	return &gatehouse.InvalidError{Field: "url", Problem: problem}
}

package bus

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/feedgate/feedgate/rawnet"
)

// patience is how long Redis may take for anything, unless the URL says
// otherwise. What it does takes microseconds, but a machine that has too much to do
// serves everybody late by seconds (100,000 connections on two cores: up to nine):
// what comes late is not lost, while what is given up costs every link a repair.
const patience = 10 * time.Second

// clusterPatience is the same of a Redis Cluster, where one node that answers nothing
// holds up what goes to the others.
const clusterPatience = time.Second

// connectPatience is how long a connection may take to be made, and pingPatience
// an answer to a Ping, after which another connection is tried.
const connectPatience, pingPatience = time.Second, time.Second

// connect makes the client that the URL asks for. It connects to nothing yet.
// No command is tried twice: what was published twice comes out of order.
//
//	redis://[user:password@]host:port[/db], rediss://…          one Redis (rediss: TLS)
//	redis://host:port?master_name=mymaster[&addr=host2:port …]  Sentinels
//	redis://host:port?cluster=true[&addr=host2:port …]          Redis Cluster
//
// Further query parameters are those of go-redis's ParseURL, ParseFailoverURL
// and ParseClusterURL.
func connect(redisURL string) (redis.UniversalClient, error) {
	redis.SetLogger(quiet{}) // what it has to say, it also returns
	u, err := url.Parse(redisURL)
	if err != nil {
		return nil, fmt.Errorf("bus: the Redis URL cannot be read") // err holds the password
	}
	q := u.Query()
	switch {
	case q.Get("master_name") != "":
		return connectSentinel(redisURL)
	case q.Get("cluster") == "true" || q.Get("cluster") == "1":
		q.Del("cluster")
		u.RawQuery = q.Encode()
		return connectCluster(u.String())
	}
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize, o.ContextTimeoutEnabled = -1, 1, -1, true
	o.PoolSize = cmp.Or(o.PoolSize, poolSize)
	o.Protocol = cmp.Or(o.Protocol, 2)
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = waits(o.DialTimeout, o.ReadTimeout, o.WriteTimeout, patience)
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// The pool looks at no such connection before it is used. What fails then is bus's to
	// make good, as ever.
	o.Dialer = rawnet.Dialing(redis.NewDialer(o))
	return redis.NewClient(o), nil
}

func connectSentinel(redisURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(redisURL)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize, o.ContextTimeoutEnabled = -1, 1, -1, true
	o.PoolSize = cmp.Or(o.PoolSize, poolSize)
	o.Protocol = cmp.Or(o.Protocol, 2)
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = waits(o.DialTimeout, o.ReadTimeout, o.WriteTimeout, patience)
	return redis.NewFailoverClient(o), nil
}

func connectCluster(redisURL string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(redisURL)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	// A moved slot is asked for again where it is now; that is not a retry.
	o.MaxRedirects = cmp.Or(o.MaxRedirects, 3)
	o.FailingTimeoutSeconds = cmp.Or(o.FailingTimeoutSeconds, 1) // a node that failed is not avoided for longer
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize, o.ContextTimeoutEnabled = -1, 1, -1, true
	o.PoolSize = cmp.Or(o.PoolSize, poolSize)
	o.Protocol = cmp.Or(o.Protocol, 2)
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = waits(o.DialTimeout, o.ReadTimeout, o.WriteTimeout, clusterPatience)
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

// poolSize: one connection publishes, one is asked for a sign of life.
const poolSize = 4

func waits(dial, read, write, patience time.Duration) (time.Duration, time.Duration, time.Duration) {
	return cmp.Or(dial, connectPatience), cmp.Or(read, patience), cmp.Or(write, patience)
}

// quiet is go-redis's logger, which is one for all of a process.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

package sntp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says whom to ask and what to set. Servers, Dial and Set are needed.
type Config struct {
	// Servers returns the servers to ask, "host" or "host:port", in order. It
	// is called for every round, since DHCP may name others.
	Servers func() []string
	// Dial opens a UDP connection.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Set sets the clock.
	Set func(time.Time) error
	// Now reads the clock; nil for time.Now.
	Now func() time.Time
	// Floor is the earliest time that a server is believed.
	Floor time.Time
	// Synced, if not nil, is told of every answer that was believed.
	Synced func(Status)
	// Log is told of the same, and of failures; nil for slog.Default().
	Log *slog.Logger
}

// Status says where the time came from.
type Status struct {
	Server  string
	Stratum int           // of the server: 1 has a reference clock itself
	Offset  time.Duration // what the clock was wrong by, positive if it was late
	At      time.Time     // after it was set
	Stepped bool          // the clock was set; not so if it was right enough
}

// Times in which the servers are asked.
const (
	interval   = time.Hour
	retryFirst = 4 * time.Second
	retryLast  = 15 * time.Minute
	timeout    = 3 * time.Second

	// tolerance is what the clock may be wrong by before it is set: it is
	// stepped, and programs don't like steps.
	tolerance = 20 * time.Millisecond
)

// Errors of an answer that is not believed.
var (
	ErrBelowFloor = errors.New("sntp: time before the build")
	ErrNoServer   = errors.New("sntp: no time server is known")
)

// Run keeps the clock right until ctx ends, and returns ctx's error.
func Run(ctx context.Context, c Config) error {
	c.setDefaults()
	retry, quiet := retryFirst, false
	for {
		wait := interval
		if _, err := Sync(ctx, c); err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrNoServer) && !quiet {
				c.Log.Warn("clock not set", "err", err)
				quiet = true // say it once, not each time
			}
			wait, retry = retry, min(retry*2, retryLast)
		} else {
			retry, quiet = retryFirst, false
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

func (c *Config) setDefaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// Sync asks the servers once and sets the clock. The error joins what went wrong
// with each of them.
func Sync(ctx context.Context, c Config) (Status, error) {
	c.setDefaults()
	var errs []error
	for _, server := range c.Servers() {
		s, err := c.ask(ctx, server)
		if err == nil {
			c.Log.Info("time from "+server, "stratum", s.Stratum, "offset", s.Offset.Round(time.Millisecond).String(), "now", s.At.UTC().Format(time.RFC3339))
			if c.Synced != nil {
				c.Synced(s)
			}
			return s, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", server, err))
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 0 {
		return Status{}, ErrNoServer
	}
	return Status{}, errors.Join(errs...)
}

// ask asks one server and sets the clock if the answer is believed.
func (c *Config) ask(ctx context.Context, name string) (Status, error) {
	s, err := Ask(ctx, *c, name)
	if err != nil || s.Offset.Abs() <= tolerance {
		return s, err
	}
	if err := c.Set(s.At); err != nil {
		return Status{}, fmt.Errorf("setting the clock: %w", err)
	}
	s.Stepped = true
	return s, nil
}

// Ask asks one server, "host" or "host:port", for the time, and sets nothing: of c
// it needs Dial only. An answer before c.Floor is refused.
func Ask(ctx context.Context, c Config, name string) (Status, error) {
	c.setDefaults()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	server := name
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "123")
	}
	conn, err := c.Dial(ctx, "udp", server)
	if err != nil {
		return Status{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	offset, stratum, err := query(conn, c.Now, c.Floor)
	if err != nil {
		return Status{}, err
	}
	now := c.Now().Add(offset)
	if now.Before(c.Floor) {
		return Status{}, fmt.Errorf("%w: %s, built %s", ErrBelowFloor, now.UTC().Format(time.RFC3339), c.Floor.UTC().Format(time.RFC3339))
	}
	return Status{Server: name, Stratum: stratum, Offset: offset, At: now}, nil
}

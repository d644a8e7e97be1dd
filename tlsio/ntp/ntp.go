package ntp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"ingot.dev/net/sntp"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/resolver"
)

// ErrBusy is returned by GetTime while another one is running.
var ErrBusy = errors.New("ntp: a request is running; wait for its callback")

// Floor is Options.Floor when that is zero: the start of 2025.
var Floor = time.Unix(1735689600, 0)

// Options are those of section 19. The sockets are of the App's network.
type Options struct {
	// Servers are the time servers, names or IP addresses, with or without port,
	// asked in turn until one gives a time that can be believed. At least one is
	// required.
	Servers []string
	// DNS resolves names among Servers; required if there are any.
	DNS *resolver.Resolver
	// Floor is the earliest time that is believed; zero for the package's Floor.
	// It also says which of NTP's 136-year eras a time is in.
	Floor time.Time
}

// Client asks for the time. Its methods may be called from any goroutine and never
// wait.
type Client struct {
	app     *tlsio.App
	servers []server
	dns     *resolver.Resolver
	config  sntp.Config
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex
	busy   bool
	closed bool
}

type server struct{ host, port string }

// New makes a Client on app's network.
func New(app *tlsio.App, o Options) (*Client, error) {
	var errs []error
	add := func(option string, value any, fix string) {
		errs = append(errs, &tlsio.OptionError{Option: option, Value: value, Fix: fix})
	}
	if app == nil || app.Network() == nil {
		add("app", nil, "required, with a network")
	}
	if len(o.Servers) == 0 {
		add("Servers", nil, "required: the name or IP address of a time server")
	}
	c := &Client{app: app, dns: o.DNS}
	for i, text := range o.Servers {
		s := server{text, "123"}
		if host, port, err := net.SplitHostPort(text); err == nil {
			s = server{host, port}
		}
		_, err := netip.ParseAddr(s.host)
		_, perr := netip.ParseAddrPort("[::]:" + s.port)
		switch {
		case s.host == "" || perr != nil || s.port == "0":
			add(fmt.Sprintf("Servers[%d]", i), fmt.Sprintf("%q", text), "use a name or IP address, with or without a port")
		case err != nil && o.DNS == nil:
			add(fmt.Sprintf("Servers[%d]", i), text, "is a name: give DNS, or use an IP address")
		}
		c.servers = append(c.servers, s)
	}
	if errs != nil {
		return nil, &tlsio.Error{Op: "ntp.New", Stage: tlsio.StageOptions, Err: errors.Join(errs...)}
	}
	c.config = sntp.Config{Dial: app.Network().DialContext, Floor: o.Floor}
	if c.config.Floor.IsZero() {
		c.config.Floor = Floor
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// GetTime asks the servers and calls callback in the App's loop: with an error that
// joins what went wrong with each, or with the time then, in milliseconds since
// 1970. One request runs at a time: another one gives ErrBusy. An error of
// GetTime's own says that callback will not be called.
func (c *Client) GetTime(callback func(err error, ms int64)) error {
	const op = "GetTime"
	if callback == nil {
		return &tlsio.Error{Op: op, Stage: tlsio.StageOptions, Err: &tlsio.OptionError{Option: "callback", Fix: "required"}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return &tlsio.Error{Op: op, Stage: tlsio.StageClose, Err: tlsio.ErrClosed}
	case c.busy:
		return &tlsio.Error{Op: op, Stage: tlsio.StageConnect, Err: ErrBusy}
	}
	c.busy = true
	release := c.app.Ref()
	go func() {
		offset, err := c.ask()
		c.app.Post(func() {
			defer release()
			c.mu.Lock()
			c.busy = false
			closed := c.closed
			c.mu.Unlock()
			switch {
			case closed:
			case err != nil:
				callback(err, 0)
			default:
				callback(nil, time.Now().Add(offset).UnixMilli())
			}
		})
	}()
	return nil
}

// ask returns what the clock is behind the servers' by.
func (c *Client) ask() (time.Duration, error) {
	var errs []error
	for _, s := range c.servers {
		host := s.host
		if c.dns != nil {
			addr, err := c.dns.Lookup(c.ctx, host)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			host = addr.String()
		}
		status, err := sntp.Ask(c.ctx, c.config, net.JoinHostPort(host, s.port))
		if err == nil {
			return status.Offset, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.host, err))
		if c.ctx.Err() != nil {
			break
		}
	}
	return 0, &tlsio.Error{Op: "GetTime", Stage: tlsio.StageRead, Err: errors.Join(errs...)}
}

// Close ends the Client. No callback begins after it. Closing again does nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cancel()
	return nil
}

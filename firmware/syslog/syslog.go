package syslog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/tlsio"
)

// Defaults of Options.
const (
	DefaultMaxQueue   = 1000
	DefaultMaxMemory  = 256 << 10
	DefaultMaxMessage = 2048 // what every collector takes (RFC 5425 section 4.3.1)
	DefaultTimeout    = 20 * time.Second
)

// Pauses before the collector is tried again.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Options configure a Handler. To is required.
type Options struct {
	// To is the collector, "host:port"; the usual port is 6514.
	To string
	// Host is the collector's name, for SNI and to compare with its certificate. Without
	// it, it is the host of To.
	Host string
	// Group is the group of the store's anchors that vouch for the collector, "" the
	// anchors in no group.
	Group string
	// Present is the identity of the store that is shown to the collector if it asks,
	// by the name of its folder; "" shows none.
	Present string
	// MinimumVersion and Policy are as in tlsio.TLSOptions.
	MinimumVersion string
	Policy         tlsio.Policy

	// Console is told everything as well; nil for nobody.
	Console slog.Handler
	// Level is the least that is sent; nil is slog.LevelInfo. It isn't the console's.
	Level slog.Leveler

	// Facility is Local0 if it is 0: a device has no kernel messages (which are 0) to
	// send. Hostname is the device's name in messages, App the program's; without
	// them they are "-" and "ingot".
	Facility      Facility
	Hostname, App string

	// MaxQueue bounds the records that wait, MaxMemory their bytes, MaxMessage the bytes
	// of one. 0 is the default of each.
	MaxQueue, MaxMemory, MaxMessage int

	// Timeout is for connecting, TLS handshake included, and for each write; 0 is
	// DefaultTimeout.
	Timeout time.Duration
}

// A Handler is a slog.Handler that queues for a collector. Its methods may be called from
// any goroutine.
type Handler struct {
	*core
	console slog.Handler
	params  []byte // attributes of WithAttrs, as structured data
	prefix  string // of WithGroup
}

// core is what a handler has in common with those that are made of it.
type core struct {
	options Options
	pause   time.Duration // the first; a field for tests

	mu      sync.Mutex
	queue   [][]byte // whole messages
	bytes   int      // in queue
	dropped uint64   // since the last record that said so
	lost    uint64   // dropped, in all
	sent    uint64
	wake    chan struct{} // has room for one
}

// Stats are counts since the Handler was made.
type Stats struct {
	Queued        int // now
	Sent, Dropped uint64
}

// New makes a Handler. It sends nothing until its Service runs. All wrong options are
// reported at once, as *tlsio.OptionError joined in a *tlsio.Error.
func New(o Options) (*Handler, error) {
	var p endpoint.Problems
	p.Address("To", o.To, false)
	for _, n := range []struct {
		option string
		value  *int
		def    int
	}{{"MaxQueue", &o.MaxQueue, DefaultMaxQueue}, {"MaxMemory", &o.MaxMemory, DefaultMaxMemory}, {"MaxMessage", &o.MaxMessage, DefaultMaxMessage}} {
		p.Count(n.option, *n.value)
		*n.value = cmp.Or(*n.value, n.def)
	}
	if o.MaxMemory > 0 && o.MaxMemory < o.MaxMessage {
		p.Add("MaxMemory", o.MaxMemory, "has no room for one record of MaxMessage")
	}
	if o.MaxMessage > 0 && o.MaxMessage < 480 {
		p.Add("MaxMessage", o.MaxMessage, "use 480 at least, which every collector takes (RFC 5424 section 6.1)")
	}
	o.Timeout = p.Duration("Timeout", o.Timeout, DefaultTimeout)
	if o.Facility < 0 || o.Facility > 23 {
		p.Add("Facility", int(o.Facility), "use 1 to 23, such as syslog.Local0")
	}
	o.Facility = cmp.Or(o.Facility, Local0)
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	for _, f := range []struct {
		option, value string
		limit         int
	}{{"Hostname", o.Hostname, 255}, {"App", o.App, 48}} {
		if f.value != "" && name(f.value, f.limit) != f.value {
			p.Add(f.option, f.value, fmt.Sprintf("use visible ASCII, %d characters at most (RFC 5424 section 6)", f.limit))
		}
	}
	o.Hostname, o.App = cmp.Or(o.Hostname, "-"), cmp.Or(o.App, "ingot")
	if _, err := tlsio.NewClientContext(o.tlsOptions()); err != nil {
		p.AddAll("", err)
	}
	if err := p.Err("syslog.New"); err != nil {
		return nil, err
	}
	console := o.Console
	if console == nil {
		console = slog.DiscardHandler
	}
	return &Handler{core: &core{options: o, pause: firstPause, wake: make(chan struct{}, 1)}, console: console}, nil
}

func (o *Options) tlsOptions() tlsio.TLSOptions {
	t := tlsio.TLSOptions{Host: o.Host, MinimumVersion: o.MinimumVersion}
	if o.Policy != "" {
		t.With = []tlsio.Feature{o.Policy}
	}
	return t
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.options.Level.Level() || h.console.Enabled(ctx, l)
}

// Handle implements slog.Handler. Its error is the console's.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= h.options.Level.Level() {
		params := slices.Clip(h.params)
		r.Attrs(func(a slog.Attr) bool {
			params = appendAttr(params, h.prefix, a)
			return true
		})
		h.add(r.Time, r.Level, params, r.Message)
	}
	if !h.console.Enabled(ctx, r.Level) {
		return nil
	}
	return h.console.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.console = h.console.WithAttrs(attrs)
	with.params = slices.Clip(h.params)
	for _, a := range attrs {
		with.params = appendAttr(with.params, h.prefix, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(group string) slog.Handler {
	if group == "" {
		return h
	}
	with := *h
	with.console = h.console.WithGroup(group)
	with.prefix += group + "."
	return &with
}

// Stats returns counts.
func (c *core) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Queued: len(c.queue), Sent: c.sent, Dropped: c.lost}
}

// add queues a record, or counts that it can't.
func (c *core) add(at time.Time, level slog.Level, params []byte, text string) {
	o := &c.options
	message := format(o.Facility, at, level, o.Hostname, o.App, params, text, o.MaxMessage)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.confess()
	if c.dropped > 0 || !c.room(len(message), 1) {
		c.dropped++
		c.lost++
		return
	}
	c.push(message)
}

// confess queues a record about those that were dropped, if there is room. c.mu is held.
func (c *core) confess() {
	o := &c.options
	if c.dropped == 0 || !c.room(o.MaxMessage, 1) {
		return
	}
	n := strconv.FormatUint(c.dropped, 10)
	c.dropped = 0
	c.push(format(o.Facility, time.Now(), slog.LevelWarn, o.Hostname, o.App,
		appendParam(nil, "dropped", n), n+" records were dropped, because the collector did not take them", o.MaxMessage))
}

// room reports whether records and bytes more may wait. c.mu is held.
func (c *core) room(bytes, records int) bool {
	return len(c.queue)+records <= c.options.MaxQueue && c.bytes+bytes <= c.options.MaxMemory
}

func (c *core) push(message []byte) {
	c.queue = append(c.queue, message)
	c.bytes += len(message)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next takes the oldest message, without waiting.
func (c *core) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, false
	}
	message := c.queue[0]
	c.queue[0] = nil
	c.queue = c.queue[1:]
	c.bytes -= len(message)
	c.confess()
	return message, true
}

// Service sends what is queued, until the firmware ends.
func (h *Handler) Service() firmware.Service {
	return firmware.Service{Name: "syslog", Run: func(ctx context.Context, s *firmware.System, _ net.Listener) error {
		options := h.options.tlsOptions()
		if err := endpoint.Trust(&options, s.Certs, h.options.Group); err != nil {
			return err
		}
		if h.options.Present != "" {
			if err := endpoint.Present(&options, s.Certs, h.options.Present); err != nil {
				return err
			}
		}
		client, err := tlsio.NewClientContext(options)
		if err != nil {
			return err
		}
		h.run(ctx, s, client)
		return nil
	}}
}

// run keeps a connection to the collector while there is something to send.
func (h *Handler) run(ctx context.Context, s *firmware.System, client *tlsio.SecureContext) {
	console := slog.New(h.console) // of what concerns the collector, it isn't told
	pause, away := h.pause, false
	for ctx.Err() == nil {
		sent, err := h.session(ctx, s, client)
		if ctx.Err() != nil {
			return
		}
		if sent {
			pause, away = h.pause, false
		}
		if !away {
			console.Warn("the log collector can't be reached", "to", h.options.To, "err", err)
			away = true
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, longestPause)
	}
}

// session waits for something to send, connects, and sends until that fails.
func (h *Handler) session(ctx context.Context, s *firmware.System, client *tlsio.SecureContext) (sent bool, err error) {
	message, ok := h.next()
	for !ok {
		select {
		case <-h.wake:
			message, ok = h.next()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	pending := true
	defer func() {
		if pending { // not even begun to be sent
			h.back(message)
		}
	}()
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if h.options.Timeout > 0 {
		dialing, cancel = context.WithTimeout(ctx, h.options.Timeout)
	}
	conn, err := tlsio.Dial(dialing, s.Net, h.options.To, tlsio.TLSOptions{Context: client})
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A collector sends nothing: what comes is its end, or the refusal of our
	// certificate, which TLS 1.3 tells after the handshake.
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		if err == nil {
			err = errSpoke
		}
		ended <- err
		conn.Close()
	}()
	for {
		for ok {
			pending = false
			if h.options.Timeout > 0 {
				conn.SetWriteDeadline(time.Now().Add(h.options.Timeout))
			}
			if _, err := conn.Write(frame(message)); err != nil {
				select {
				case why := <-ended:
					return sent, why
				default:
					return sent, err
				}
			}
			sent = true
			h.mu.Lock()
			h.sent++
			h.mu.Unlock()
			message, ok = h.next()
		}
		select {
		case <-h.wake:
			message, ok = h.next()
		case err := <-ended:
			return sent, err
		case <-ctx.Done():
			return sent, ctx.Err()
		}
		pending = ok
	}
}

// back puts a message in front again that was not sent.
func (c *core) back(message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = slices.Insert(c.queue, 0, message)
	c.bytes += len(message)
}

// frame is RFC 5425's section 4.3: octet counting.
func frame(message []byte) []byte {
	b := strconv.AppendInt(make([]byte, 0, len(message)+6), int64(len(message)), 10)
	b = append(b, ' ')
	return append(b, message...)
}

// errSpoke: a collector has nothing to say.
var errSpoke = fmt.Errorf("syslog: the collector sends data: it isn't one, or not of RFC 5425")

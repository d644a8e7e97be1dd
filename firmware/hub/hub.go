package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/tally"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// Options configure a hub. Listen is required, and clients must show who they are: by
// Password, by a certificate, or by both.
type Options struct {
	endpoint.Options

	// Password is what clients must present: any value that encoding/json can marshal.
	// Without one, ClientAuth must be "require", or there must be a ClientGroup.
	Password any

	// RequestTimeout is how long an answer may take; 0 is jsonmsg's default.
	RequestTimeout time.Duration
	// KeepAliveInterval is the time between pings, KeepAliveTimeout what a pong may
	// take; 0 are jsonmsg's defaults, jsonmsg.Off is none.
	KeepAliveInterval, KeepAliveTimeout time.Duration

	// Limits are jsonmsg's.
	jsonmsg.Limits
}

// server makes the server. handlers may be of the zero value, to judge the options.
func (o *Options) server(h jsonmsg.ServerOptions) (*jsonmsg.Server, error) {
	h.TLS = tlsio.TLSOptions{GetCertificate: (&certs.Store{}).GetCertificate} // the listener is brought along
	h.Password, h.NoPassword = o.Password, o.Password == nil
	h.RequestTimeout, h.KeepAliveInterval, h.KeepAliveTimeout = o.RequestTimeout, o.KeepAliveInterval, o.KeepAliveTimeout
	h.Limits = o.Limits
	h.MaxClients = jsonmsg.Unlimited // MaxConnections is the limit
	return jsonmsg.NewServer(h)
}

// New makes a service that is a hub. All wrong options are reported at once, as
// *tlsio.OptionError joined in a *tlsio.Error.
func New(o Options) (firmware.Service, error) {
	var p endpoint.Problems
	e := endpoint.Check("json", o.Options, false, &p)
	if o.Password == nil && o.ClientAuth != tlsio.ClientAuthRequire && o.ClientGroup == "" {
		p.Add("Password", nil, `required, where clients need not show certificates; or set ClientAuth to "require"`)
	}
	if o.ClientGroup != "" && o.ClientAuth == tlsio.ClientAuthRequest && o.Password == nil {
		p.Add("ClientAuth", string(o.ClientAuth), `lets in clients without a certificate, who have no password to show either; use "require", or set Password`)
	}
	_, err := o.server(jsonmsg.ServerOptions{})
	p.AddAll("", err)
	if err := p.Err("hub.New"); err != nil {
		return firmware.Service{}, err
	}
	service := e.Service()
	service.Run = func(ctx context.Context, s *firmware.System, l net.Listener) error {
		h := &hub{endpoint: e, log: s.Log, clients: map[uint64]*client{}}
		return h.run(ctx, &o, l)
	}
	return service, nil
}

// A hub is a running one.
type hub struct {
	endpoint *endpoint.Endpoint
	log      *slog.Logger
	asking   sync.WaitGroup // requests that are passed on

	mu      sync.Mutex
	clients map[uint64]*client // those that are authenticated
}

type client struct {
	name   string
	remote net.Addr
	since  time.Time
}

func (h *hub) run(ctx context.Context, o *Options, l net.Listener) error {
	server, err := o.server(jsonmsg.ServerOptions{
		OnAuthenticated: h.joined,
		OnMessage: func(s *jsonmsg.Server, id uint64, body json.RawMessage) {
			h.endpoint.Tally.Messages.Add(1)
			if err := h.message(s, id, body); err != nil {
				h.endpoint.Tally.Fail(tally.Protocol)
			}
		},
		OnRequest: func(s *jsonmsg.Server, id uint64, body json.RawMessage, r *jsonmsg.Responder) {
			h.endpoint.Tally.Messages.Add(1)
			h.request(ctx, s, id, body, r)
		},
		OnClose: h.left,
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err = <-ended:
		server.Shutdown(context.Background())
	case <-ctx.Done():
		server.Shutdown(context.Background())
		<-ended
	}
	h.asking.Wait()
	return err
}

func (h *hub) joined(_ *jsonmsg.Server, id uint64, conn *tlsio.Conn) {
	c := &client{remote: conn.RemoteAddr(), since: time.Now()}
	if peers := conn.ConnectionState().PeerCertificates; len(peers) > 0 {
		c.name = peers[0].Subject.CommonName
	}
	c.name = cmp.Or(c.name, fmt.Sprintf("client-%d", id))
	h.mu.Lock()
	h.clients[id] = c
	h.mu.Unlock()
	h.log.Info("joined", "service", h.endpoint.Name, "name", c.name, "remote", c.remote)
}

func (h *hub) left(_ *jsonmsg.Server, id uint64, err error) {
	h.mu.Lock()
	c := h.clients[id]
	delete(h.clients, id)
	h.mu.Unlock()
	switch {
	case errors.Is(err, jsonmsg.ErrIncorrectPassword), errors.Is(err, jsonmsg.ErrTooLong), errors.Is(err, jsonmsg.ErrAuthTimeout):
		h.endpoint.Tally.Fail(tally.Protocol)
	case errors.Is(err, jsonmsg.ErrSlowReader):
		h.endpoint.Tally.Fail(tally.Stalled)
	}
	if c != nil {
		args := []any{"service", h.endpoint.Name, "name", c.name, "remote", c.remote, "duration", time.Since(c.since).Round(time.Millisecond)}
		if err != nil && !errors.Is(err, jsonmsg.ErrDisconnected) {
			args = append(args, "err", err)
		}
		h.log.Info("left", args...)
	}
}

// An envelope is what clients send. Exactly one of Op, Message and Request is there.
type envelope struct {
	Op      string          `json:"op"`
	To      string          `json:"to"`
	Message json.RawMessage `json:"message"`
	Request json.RawMessage `json:"request"`
}

// What may be wrong with what a client sends.
var (
	errForm   = errors.New(`not of a form that this hub knows: {"message":…}, {"to":…,"message":…}, {"to":…,"request":{…}}, {"op":"clients"}`)
	errNobody = errors.New("nobody of that name is there")
)

// open reads an envelope.
func open(body json.RawMessage, request bool) (e envelope, err error) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, errForm
	}
	switch {
	case !request:
		if e.Message == nil || e.Request != nil || e.Op != "" {
			return e, errForm
		}
	case e.Op != "":
		if e.Op != "clients" || e.To != "" || e.Request != nil || e.Message != nil {
			return e, errForm
		}
	default:
		if e.To == "" || e.Message != nil || !bytes.HasPrefix(bytes.TrimSpace(e.Request), []byte("{")) {
			return e, errForm
		}
	}
	return e, nil
}

// delivered is what clients get.
type delivered struct {
	From    string          `json:"from"`
	Message json.RawMessage `json:"message,omitempty"`
	Request json.RawMessage `json:"request,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
}

// message passes a message on.
func (h *hub) message(s *jsonmsg.Server, id uint64, body json.RawMessage) error {
	e, err := open(body, false)
	if err != nil {
		return err
	}
	from, ids := h.others(id, e.To)
	if e.To != "" && len(ids) == 0 {
		return errNobody
	}
	var errs []error
	for _, to := range ids {
		if err := s.Send(to, delivered{From: from, Message: e.Message}); err != nil && !errors.Is(err, jsonmsg.ErrNotConnected) {
			errs = append(errs, err) // it is that one's loss, not the others'
		}
	}
	return errors.Join(errs...)
}

// others returns the name of a client, and the ids of all others, in the order in which
// they came; with to, of those of that name.
func (h *hub) others(id uint64, to string) (from string, ids []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clients[id]; c != nil {
		from = c.name
	}
	for _, other := range slices.Sorted(maps.Keys(h.clients)) {
		if other != id && (to == "" || h.clients[other].name == to) {
			ids = append(ids, other)
		}
	}
	return from, ids
}

func (h *hub) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := []string{}
	for _, c := range h.clients {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

// request answers a request, or has it answered.
func (h *hub) request(ctx context.Context, s *jsonmsg.Server, id uint64, body json.RawMessage, r *jsonmsg.Responder) {
	fail := func(err error) {
		h.endpoint.Tally.Fail(tally.Protocol)
		r.Send(map[string]string{"error": err.Error()})
	}
	e, err := open(body, true)
	if err != nil {
		fail(err)
		return
	}
	if e.Op == "clients" {
		r.Send(map[string][]string{"clients": h.names()})
		return
	}
	from, ids := h.others(id, e.To)
	if len(ids) == 0 {
		fail(errNobody)
		return
	}
	// Not here: what else this client sends isn't to wait for the answer. How many
	// wait is bounded by jsonmsg's MaxPending for who is asked.
	h.asking.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-r.Done(): // who asked is gone
				cancel()
			case <-stop:
			}
		}()
		answer, err := s.Request(ctx, ids[len(ids)-1], delivered{From: from, Request: e.Request})
		if err != nil {
			fail(err)
			return
		}
		r.Send(delivered{From: e.To, Answer: answer})
	})
}

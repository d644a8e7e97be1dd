package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/relay"
	"ingot.dev/firmware/syslog"
	"ingot.dev/net/inet"
	"ingot.dev/tlsio"
)

// certificates judges the store as the firmware will when it starts, and then lets each
// service look for what it needs there.
func (c *checker) certificates(root *node, o Options) error {
	dir := c.storeDir
	if dir == "" {
		dir = filepath.Join(c.dir, "certs")
	}
	at := c.storeAt
	if at.line == 0 {
		at = position{1, 1}
	}
	c.a.Certs = dir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && o.MakeCerts != nil && len(c.problems) == 0 {
		if err := o.MakeCerts(dir); err != nil {
			return err
		}
	}
	store := filepath.Join(dir, "image")
	if info, err := os.Stat(store); err != nil || !info.IsDir() {
		store = dir
	}
	if info, err := os.Stat(store); err != nil || !info.IsDir() {
		c.bad(at, "there is no certificate store in "+dir, "make one with 'ingot certs init "+dir+"', or say in [certificates] store where it is")
		return nil
	}
	c.a.store = store
	report := certs.Inspect(os.DirFS(store), certs.Options{Now: o.Now})
	for _, p := range report.Warnings {
		c.warn(at, "certificates: "+filepath.Join(store, filepath.FromSlash(p.File))+": "+p.Reason, p.Fix)
	}
	for _, p := range report.Problems {
		reason := p.Reason
		if p.Err != nil {
			reason += " (" + p.Err.Error() + ")"
		}
		c.bad(at, "certificates: "+filepath.Join(store, filepath.FromSlash(p.File))+": "+reason, p.Fix)
	}
	if len(report.Problems) > 0 {
		return nil
	}
	loaded, err := c.load(store, o)
	if err != nil {
		c.bad(at, "certificates: "+err.Error(), "keys that are kept elsewhere need a program that knows where: begin one with 'ingot config eject'")
		return nil
	}
	if s := c.a.syslog; s != nil {
		o, client := s.options.(*syslog.Options), tlsio.TLSOptions{}
		c.lacks(s, "group", endpoint.Trust(&client, loaded, o.Group))
		if o.Present != "" {
			c.lacks(s, "present", endpoint.Present(&client, loaded, o.Present))
		}
	}
	for _, s := range c.a.Services {
		c.open(s, loaded)
		s.ServerName = s.serverName(loaded)
	}
	return nil
}

// load loads the store with no more code than it needs.
func (c *checker) load(dir string, o Options) (store *certs.Store, err error) {
	for _, needs := range []struct{ bundles, rules bool }{{}, {true, false}, {false, true}, {true, true}} {
		options := certs.Options{Now: o.Now}
		if needs.bundles {
			options.Bundles = certs.Bundles()
		}
		if needs.rules {
			options.Rules = certs.Rules()
		}
		store, err = certs.Load(os.DirFS(dir), options)
		if err == nil || !errors.Is(err, certs.ErrNoCode) {
			c.a.bundles, c.a.rules = needs.bundles, needs.rules
			return store, err
		}
	}
	return nil, err
}

// open opens the service's listener as the firmware will.
func (c *checker) open(s *Service, store *certs.Store) {
	options := reflect.New(reflect.TypeOf(s.options).Elem())
	options.Elem().Set(reflect.ValueOf(s.options).Elem())
	clear := func(key string) {
		if k := find(s.kind.Keys, key); k != nil {
			options.Elem().FieldByName(k.field).SetZero()
		}
	}
	const attempts = 3 // what was reported is left out, to see whether there is more
	for range attempts {
		service, err := s.kind.make(options.Interface())
		if err != nil {
			return // without what was left out it is no whole
		}
		l, err := service.Open(context.Background(), &firmware.System{Net: nowhere{}, Certs: store, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			l.Close()
			return
		}
		var pins *relay.PinsError
		switch {
		case errors.As(err, new(*endpoint.IdentityError)):
			c.lacks(s, s.kind.identity, err)
			clear(s.kind.identity)
		case errors.As(err, new(*endpoint.GroupError)):
			key := s.kind.group
			if s.table.get(key) == nil && s.table.get("client_auth") != nil {
				key = "client_auth"
			}
			c.lacks(s, key, err)
			clear(s.kind.group)
			clear("client_auth")
		case errors.As(err, &pins):
			c.bad(s.position("pins"), fmt.Sprintf("%s: the certificate store has no set of pins %q", s.where, pins.Name), "make one with 'ingot certs pin'")
			clear("pins")
		default:
			c.bad(s.at, s.where+": "+err.Error(), "change it or the store")
			return
		}
	}
}

// position is where a key's value is, or the table's where it has no such key.
func (s *Service) position(key string) position {
	if e := s.table.get(key); e != nil {
		return e.value.at
	}
	return s.at
}

// lacks reports what the certificate store doesn't have for a key.
func (c *checker) lacks(s *Service, key string, err error) {
	identity, isIdentity := errors.AsType[*endpoint.IdentityError](err)
	group, isGroup := errors.AsType[*endpoint.GroupError](err)
	switch {
	case isIdentity:
		c.bad(s.position(key), fmt.Sprintf("%s: the certificate store has no identity %q for this, by its folder or by a name in its certificate", s.where, identity.Name),
			has("identities", identity.Have)+", or make one with 'ingot certs issue'")
	case isGroup:
		what := fmt.Sprintf("group %q", group.Group)
		if group.Group == "" {
			what = "anchors outside of groups"
		}
		c.bad(s.position(key), fmt.Sprintf("%s: the certificate store has no %s to judge peers by", s.where, what),
			has("groups", group.Have)+", or add anchors with 'ingot certs import --anchor --group'")
	case err != nil:
		c.bad(s.position(key), s.where+": "+err.Error(), "change it or the store")
	}
}

// has says what there is instead.
func has(what string, names []string) string {
	var q []string
	for _, n := range names {
		if n != "" {
			q = append(q, n)
		}
	}
	if len(q) == 0 {
		return "it has no " + what
	}
	return "use one of its " + what + ": " + strings.Join(q, ", ")
}

// serverName returns a name to ask the service for, "" if there is none.
func (s *Service) serverName(store *certs.Store) string {
	if !s.TLS {
		return ""
	}
	name := reflect.ValueOf(s.options).Elem().FieldByName("Identity").String()
	id, ok := store.Identity(name)
	if !ok {
		for _, i := range store.Candidates(name) {
			id, ok = i, true
			break
		}
	}
	if !ok || id == nil {
		return ""
	}
	for _, n := range id.Leaf().DNSNames {
		if !strings.HasPrefix(n, "*") {
			return n
		}
	}
	return ""
}

// nowhere is a network on which everything can be opened and nothing comes.
type nowhere struct{}

var errNowhere = errors.New("there is no network while a configuration is checked")

func (n nowhere) With(inet.Options) inet.Network { return n }

func (nowhere) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errNowhere
}

func (nowhere) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errNowhere
}

func (nowhere) LookupHost(context.Context, string) ([]string, error) { return nil, errNowhere }

func (nowhere) Listen(context.Context, string, string) (net.Listener, error) {
	return &silence{closed: make(chan struct{})}, nil
}

// silence is a listener to which nobody comes.
type silence struct {
	once   sync.Once
	closed chan struct{}
}

func (s *silence) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

func (s *silence) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *silence) Addr() net.Addr { return &net.TCPAddr{} }

var _ tlsio.Network = nowhere{}

package tlsio

import (
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// among returns a RootsFor that finds cas, and counts how often it was asked.
func among(asked *atomic.Int32, cas ...*authority) RootsFor {
	return func(chain []*x509.Certificate) (*x509.CertPool, error) {
		asked.Add(1)
		pool := x509.NewCertPool()
		for _, ca := range cas {
			pool.AddCert(ca.cert)
		}
		return pool, nil
	}
}

// TestRootsForClient: with RootsFor a client judges servers as with CA: in each mode,
// with each version, and again on resumption.
func TestRootsForClient(t *testing.T) {
	w := pki(t)
	late := w.ca.issue(t, []string{"server.test"}, expired)
	for _, v := range bothVersions {
		for _, tt := range []struct {
			name  string
			id    identity
			cause any // of the same type as CA's; nil if the server is who it says
			code  Code
		}{
			{"good", w.server, nil, 0},
			{"wrong name", w.client, new(x509.HostnameError), CodeNameMismatch},
			{"unknown CA", w.rogue, new(x509.UnknownAuthorityError), CodeUnknownAuthority},
			{"expired", late, new(x509.CertificateInvalidError), CodeExpired},
		} {
			t.Run(v+"/"+tt.name, func(t *testing.T) {
				server := serverContext(t, with(serve(tt.id), only(v)))
				for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
					var asked atomic.Int32
					client := clientContext(t, func(o *TLSOptions) {
						o.CA, o.VerifyMode, o.With = nil, mode, []Feature{among(&asked, w.ca)}
					})
					for i := range 2 {
						p := connect(t, server, client, SecureOptions{}, SecureOptions{})
						if n := asked.Load(); n != int32(i+1) {
							t.Errorf("asked %d times in %d handshakes", n, i+1)
						}
						if mode == VerifyRequired && tt.cause != nil {
							e := wantError(t, p.clientErr, StageVerify, Alert{AlertSent, 42})
							if !errors.As(e, tt.cause) || e.Code() != tt.code {
								t.Errorf("%v, code %d", e, e.Code())
							}
							continue
						}
						s := p.ok(t).client.State()
						if s.Authorized() != (tt.cause == nil) || tt.cause != nil && !errors.As(s.AuthorizationError(), tt.cause) {
							t.Errorf("authorized %v: %v", s.Authorized(), s.AuthorizationError())
						}
						if (len(s.VerifiedChains) > 0) != (tt.cause == nil) {
							t.Errorf("%d verified chains", len(s.VerifiedChains))
						}
						if want := i == 1 && tt.name != "expired"; s.DidResume != want {
							t.Errorf("handshake %d: resumed %v", i, s.DidResume)
						}
					}
				}
			})
		}
	}
}

// TestRootsForServer: the same of clients. An identity has its own.
func TestRootsForServer(t *testing.T) {
	w := pki(t)
	none := func(*TLSOptions) {}
	for _, v := range bothVersions {
		for _, auth := range []ClientAuth{ClientAuthRequest, ClientAuthRequire} {
			for _, tt := range []struct {
				name   string
				client func(*TLSOptions)
				ok     bool
			}{
				{"good", present(w.client), true},
				{"unknown CA", present(w.rogue), false},
				{"expired", present(w.expiredClient), false},
				{"no certificate", none, auth == ClientAuthRequest},
			} {
				t.Run(v+"/"+string(auth)+"/"+tt.name, func(t *testing.T) {
					var asked atomic.Int32
					plain := serverContext(t, with(only(v), feature(among(&asked, w.ca)), func(o *TLSOptions) { o.ClientAuth = auth }))
					own := serverContext(t, with(only(v), feature(Identities{List: []Identity{{
						Names: []string{"server.test"}, Certificate: [][]byte{w.server.cert}, Key: [][]byte{w.server.key},
						ClientAuth: auth, With: []Feature{among(&asked, w.ca)}}}}), func(o *TLSOptions) {
						o.ServerCertificate, o.ServerKey = nil, nil
					}))
					for _, server := range []*SecureContext{plain, own} {
						client := clientContext(t, tt.client)
						for range 2 {
							p := connect(t, server, client, SecureOptions{}, SecureOptions{})
							if !tt.ok {
								if p.serverErr == nil {
									t.Error("accepted")
								} else if e, _ := errors.AsType[*Error](p.serverErr); e == nil || e.Stage != StageVerify {
									t.Errorf("%v, want an error of StageVerify", p.serverErr)
								}
								continue
							}
							s := p.ok(t).server.State()
							if want := tt.name == "good"; s.Authorized() != want {
								t.Errorf("authorized %v: %v", s.Authorized(), s.AuthorizationError())
							}
						}
					}
					if asks := tt.name != "no certificate"; (asked.Load() > 0) != asks {
						t.Errorf("asked %d times", asked.Load())
					}
				})
			}
		}
	}
}

// TestRootsForFails: an error is the handshake's if the chain needed what is missing.
// No pool is an empty one: not the system's CAs.
func TestRootsForFails(t *testing.T) {
	w := pki(t)
	broken := errors.New("flash is worn out")
	found := func(ca *authority, err error) RootsFor {
		return func(chain []*x509.Certificate) (*x509.CertPool, error) {
			if len(chain) != 1 || !chain[0].Equal(w.server.leaf) {
				t.Errorf("asked about %d certificates", len(chain))
			}
			if ca == nil {
				return nil, err
			}
			pool := x509.NewCertPool()
			pool.AddCert(ca.cert)
			return pool, err
		}
	}
	server := serverContext(t, nil)
	for _, tt := range []struct {
		name string
		f    RootsFor
		code Code // 0 if the handshake succeeds
		err  error
	}{
		{"error alone", found(nil, broken), CodeVerify, broken},
		{"error beside a pool without the CA", found(w.otherCA, broken), CodeVerify, broken},
		{"error beside a pool with the CA", found(w.ca, broken), 0, nil},
		{"nothing at all", found(nil, nil), CodeUnknownAuthority, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := clientContext(t, func(o *TLSOptions) { o.CA, o.With = nil, []Feature{tt.f} })
			p := connect(t, server, client, SecureOptions{}, SecureOptions{})
			if tt.code == 0 {
				p.ok(t)
				return
			}
			e := wantError(t, p.clientErr, StageVerify, Alert{AlertSent, 42})
			roots, is := errors.AsType[*RootsError](e)
			if e.Code() != tt.code || is != (tt.err != nil) || is && (roots.Err != tt.err || !strings.Contains(e.Hint, "RootsFor")) {
				t.Errorf("code %d, %v", e.Code(), e)
			}
		})
	}
}

// TestRootsForOptions: what doesn't go together is refused.
func TestRootsForOptions(t *testing.T) {
	var asked atomic.Int32
	f := among(&asked)
	for _, tt := range []struct {
		name   string
		server bool
		change func(*TLSOptions)
		option string
	}{
		{"nil", false, func(o *TLSOptions) { o.CA, o.With = nil, []Feature{RootsFor(nil)} }, "With[0]"},
		{"with CA", false, feature(f), "With[0]"},
		{"twice", false, func(o *TLSOptions) { o.CA, o.With = nil, []Feature{f, f} }, "With[1]"},
		{"never asked", false, func(o *TLSOptions) { o.CA, o.VerifyMode, o.With = nil, InsecureVerifyNone, []Feature{f} }, "With[0]"},
		{"nobody to judge", true, feature(f), "With[0]"},
	} {
		var err error
		if o := serverOptions(t); tt.server {
			tt.change(&o)
			_, err = NewServerContext(o)
		} else {
			o = clientOptions(t)
			tt.change(&o)
			_, err = NewClientContext(o)
		}
		if e, ok := errors.AsType[*OptionError](err); !ok || e.Option != tt.option {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		o    TLSOptions
		want bool
	}{
		{TLSOptions{}, false}, {clientOptions(t), true}, {TLSOptions{Roots: x509.NewCertPool()}, true},
		{TLSOptions{With: []Feature{f}}, true}, {TLSOptions{With: []Feature{LegacyCommonName{}}}, false},
	} {
		if tt.o.NamesRoots() != tt.want {
			t.Errorf("NamesRoots of %v is %v", tt.o.With, !tt.want)
		}
	}
}

// TestRootsForStricter: whom a RootsFor finds isn't known before, so that clients could
// get around an Identity's by leaving its name out.
func TestRootsForStricter(t *testing.T) {
	w := pki(t)
	var asked atomic.Int32
	o := serverOptions(t)
	o.ClientAuth = ClientAuthRequire
	o.With = []Feature{among(&asked, w.ca, w.otherCA), Identities{List: []Identity{{
		Names: []string{"server.test"}, Certificate: [][]byte{w.server.cert}, Key: [][]byte{w.server.key},
		ClientAuth: ClientAuthRequire, With: []Feature{among(&asked, w.ca)}}}}}
	_, err := NewServerContext(o)
	if e, ok := errors.AsType[*OptionError](err); !ok || e.Option != "With[1].List[0].Names[0]" {
		t.Error(err)
	}
}

package tlsio

import (
	"crypto/tls"
	"errors"
	"testing"
)

// TestSecureGetCertificate: one connection's own choice goes before the context's,
// also without SNI; clients have no such option.
func TestSecureGetCertificate(t *testing.T) {
	w := pki(t)
	context, err := NewServerContext(serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	other := w.ca.issue(t, []string{"other.test", "127.0.0.1"}, nil)
	chosen := &tls.Certificate{Certificate: [][]byte{other.cert}, PrivateKey: other.signer}
	refusal := errors.New("not today")
	for _, tt := range []struct {
		name string
		cert *tls.Certificate
		err  error
		want []byte
	}{
		{"chosen", chosen, nil, other.cert},
		{"left to the context", nil, nil, w.server.cert},
		{"refused", nil, refusal, nil},
	} {
		ln := testListen(t)
		got := make(chan error, 1)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				got <- err
				return
			}
			secured, err := context.Secure(timeout(t), conn, SecureOptions{
				GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return tt.cert, tt.err }})
			if err == nil {
				state := secured.State()
				if local := state.LocalCertificate(); string(local.Raw) != string(tt.want) {
					t.Errorf("%s: LocalCertificate is %v", tt.name, local.Subject)
				}
				secured.Close()
			}
			got <- err
		}()
		options := clientOptions(t)
		options.Host = "127.0.0.1"
		conn, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), options)
		if serr := <-got; !errors.Is(serr, tt.err) {
			t.Errorf("%s: the server got %v", tt.name, serr)
		}
		if tt.err != nil {
			if err == nil {
				t.Errorf("%s: connected", tt.name)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if cert := conn.(*Conn).ConnectionState().PeerCertificates[0]; string(cert.Raw) != string(tt.want) {
			t.Errorf("%s: got %v", tt.name, cert.Subject)
		}
		conn.Close()
	}
	client, err := NewClientContext(clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Secure(timeout(t), testDial(t, testListen(t).Addr().String()), SecureOptions{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }})
	wantOption(t, err, "GetCertificate")
}

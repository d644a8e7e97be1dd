package e2e

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// Alerts: RFC 8446, section 6 and appendix B.2.
const (
	alertHandshakeFailure    tls.AlertError = 40
	alertBadCertificate      tls.AlertError = 42
	alertCertificateExpired  tls.AlertError = 45
	alertUnknownCA           tls.AlertError = 48
	alertProtocolVersion     tls.AlertError = 70
	alertCertificateRequired tls.AlertError = 116
	alertNoApplicationProto  tls.AlertError = 120
)

// alerted reports an error unless err is the firmware's alert. crypto/tls has
// no type for alerts received over TCP, but a fixed text.
func alerted(t testing.TB, err error, want tls.AlertError) {
	t.Helper()
	if err == nil || err.Error() != "remote error: "+want.Error() {
		t.Errorf("%v; want the alert %q", err, want)
	}
}

func TestVersions(t *testing.T) {
	m := serve(t)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			config := clientConfig()
			config.MinVersion, config.MaxVersion = version, version
			conn := mustConnect(t, m, config)
			if got := conn.ConnectionState().Version; got != version {
				t.Errorf("version %#x", got)
			}
			mustEcho(t, conn, megabyte)
		})
	}
	t.Run("TLS 1.1", func(t *testing.T) {
		config := clientConfig()
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		_, err := connect(testContext(t), m, config)
		alerted(t, err, alertProtocolVersion)
	})
}

func TestALPN(t *testing.T) {
	m := serve(t, "INGOT_ALPN=echo/2,echo/1")
	for _, c := range []struct {
		name  string
		offer []string
		want  string
	}{
		{"the best of two", []string{"echo/1", "echo/2"}, "echo/2"},
		{"the only common one", []string{"h2", "echo/1"}, "echo/1"},
		{"none offered", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := clientConfig()
			config.NextProtos = c.offer
			conn := mustConnect(t, m, config)
			if got := conn.ConnectionState().NegotiatedProtocol; got != c.want {
				t.Errorf("negotiated %q, want %q", got, c.want)
			}
			mustEcho(t, conn, 100)
		})
	}
	t.Run("nothing in common", func(t *testing.T) {
		config := clientConfig()
		config.NextProtos = []string{"h2"}
		_, err := connect(testContext(t), m, config)
		alerted(t, err, alertNoApplicationProto)
	})
}

// A client that asks for Encrypted Client Hello with a key that isn't the server's learns so
// from a server that has proved to be the one of its public name.
func TestECHRefused(t *testing.T) {
	m := serve(t)
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder // RFC 9849, 4
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(0xfe0d)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8(1)       // its number
			b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint32(0x0001_0001) }) // HKDF-SHA256, AES-128-GCM
			b.AddUint8(32)
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("alt.ingot.test")) })
			b.AddUint16(0)
		})
	})
	config := clientConfig()
	config.ServerName = "deep.alt.ingot.test"
	config.EncryptedClientHelloConfigList = b.BytesOrPanic()
	_, err = connect(testContext(t), m, config)
	if refused, ok := errors.AsType[*tls.ECHRejectionError](err); !ok || len(refused.RetryConfigList) != 0 {
		t.Errorf("Encrypted Client Hello: %v", err)
	}
	mustEcho(t, mustConnect(t, m, clientConfig()), 100)
}

func TestSNI(t *testing.T) {
	m := serve(t)
	for _, c := range []struct {
		server string // the name asked for
		want   string // a name in the certificate
	}{
		{"localhost", "localhost"},
		{"alt.ingot.test", "alt.ingot.test"},
		{"deep.alt.ingot.test", "*.alt.ingot.test"},
	} {
		config := clientConfig()
		config.ServerName = c.server
		conn := mustConnect(t, m, config)
		names := conn.ConnectionState().PeerCertificates[0].DNSNames
		found := false
		for _, name := range names {
			found = found || name == c.want
		}
		if !found {
			t.Errorf("asked for %s, got a certificate for %q", c.server, names)
		}
	}
	// A name that no identity has, and an address, which is no SNI at all:
	// the default identity answers, and the client decides.
	config := clientConfig()
	config.ServerName = "127.0.0.1"
	mustEcho(t, mustConnect(t, m, config), 100)
	config.ServerName = "elsewhere.test"
	_, err := connect(testContext(t), m, config)
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) {
		t.Errorf("a name that is in no certificate: %v", err)
	}
}

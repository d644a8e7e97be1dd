package e2e

import (
	"crypto/tls"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/qemu"
)

// refusal connects as a client that must be refused, and returns why it was.
// In TLS 1.3 the client is done with the handshake before the server has seen
// its certificate: the refusal comes with the first read.
func refusal(t *testing.T, m *qemu.Machine, config *tls.Config) error {
	t.Helper()
	conn, err := connect(testContext(t), m, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return err
}

func TestMutualTLS(t *testing.T) {
	m := serve(t, "INGOT_CLIENT_AUTH=require")
	template := certstest.Template{Client: true, CommonName: "a client"}
	right := world.ca.Issue(template).TLS()
	other := certstest.NewCA(t, certstest.Template{}).Issue(template).TLS()
	expired := world.ca.Issue(template.Expired()).TLS()
	server := world.ca.Issue(certstest.Template{Names: []string{"a.server.test"}}).TLS()

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := func(cert *tls.Certificate) *tls.Config {
			config := clientConfig()
			config.MaxVersion = version
			if cert != nil {
				// Whatever authorities the server names.
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
			}
			return config
		}
		t.Run(tls.VersionName(version), func(t *testing.T) {
			mustEcho(t, mustConnect(t, m, config(&right)), 10_000)

			none := alertCertificateRequired
			if version == tls.VersionTLS12 {
				none = alertHandshakeFailure // RFC 5246, section 7.4.6
			}
			for _, c := range []struct {
				name string
				cert *tls.Certificate
				want tls.AlertError
			}{
				{"no certificate", nil, none},
				{"another authority", &other, alertUnknownCA},
				{"expired", &expired, alertCertificateExpired},
				{"not for clients", &server, alertBadCertificate},
			} {
				t.Run(c.name, func(t *testing.T) {
					alerted(t, refusal(t, m, config(c.cert)), c.want)
				})
			}
			// The right one is still welcome.
			mustEcho(t, mustConnect(t, m, config(&right)), 100)
		})
	}
	contains(t, "console", m.Console(), "refused")
}

// TestRequestedCertificate: asked for, but not demanded.
func TestRequestedCertificate(t *testing.T) {
	m := serve(t, "INGOT_CLIENT_AUTH=request")
	mustEcho(t, mustConnect(t, m, clientConfig()), 100)
	config := clientConfig()
	config.Certificates = []tls.Certificate{world.ca.Issue(certstest.Template{Client: true}).TLS()}
	mustEcho(t, mustConnect(t, m, config), 100)

	// A certificate that is shown has to be right.
	wrong := certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{Client: true}).TLS()
	config = clientConfig()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &wrong, nil }
	alerted(t, refusal(t, m, config), alertUnknownCA)
}

package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/tlsio"
)

// get reads a setting that must be there.
func get(t testing.TB, c *Config, name string) string {
	t.Helper()
	v, err := c.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// set sets a setting that must be accepted, and reads it back.
func set(t testing.TB, c *Config, assignment string) {
	t.Helper()
	if err := c.Set(assignment); err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(assignment, "=")
	if got := get(t, c, name); got != value {
		t.Errorf("%s reads back as %q", assignment, got)
	}
}

// refuse sets what must be refused: the error is a *SettingError of this name with a
// fix that has the word, and nothing changes.
func refuse(t testing.TB, c *Config, assignment, word string) {
	t.Helper()
	name, value, _ := strings.Cut(assignment, "=")
	before := get(t, c, name)
	err := c.Set(assignment)
	e, ok := errors.AsType[*SettingError](err)
	if !ok || !strings.EqualFold(e.Name, name) || e.Fix == "" || !strings.Contains(e.Fix, word) {
		t.Errorf("%s: %v; want %q", assignment, err, word)
		return
	}
	if e.Value != shorten(value) && name != "OpenSSLPrngSeedData" {
		t.Errorf("%s: the error has the value %q", assignment, e.Value)
	}
	if got := get(t, c, name); got != before {
		t.Errorf("%s was refused, but it reads %q", assignment, got)
	}
}

// TestPlainSettings: each sets its field of Config and reads it; what the fields do
// is other tests' matter.
//
//conform:ipworks config works tlsio/server.Server.ConfigText, tlsio/server.Config.Set, tlsio/server.Config.Get
//conform:ipworks config.DefaultConnectionTimeout works tlsio/server.Config.HandshakeInactivity
//conform:ipworks config.InBufferSize works tlsio/server.Config.InBufferSize
//conform:ipworks config.OutBufferSize works tlsio/server.Config.OutBufferSize
//conform:ipworks config.KeepAliveTime works tlsio/server.Config.KeepAliveTime
//conform:ipworks config.KeepAliveInterval works tlsio/server.Config.KeepAliveInterval
//conform:ipworks config.MaxConnections works tlsio/server.Config.MaxConnections
//conform:ipworks config.TcpNoDelay works tlsio/server.Config.NoDelay
//conform:ipworks config.UseIPv6 works tlsio/server.Config.UseIPv6
//conform:ipworks config.LogSSLPackets works tlsio/server.Config.LogTLSPackets
//conform:ipworks config.AllowedClients differs tlsio/server.Config.AllowedClients -- addresses, prefixes and addresses with *; names would need reverse DNS, whose answers the peer can choose
//conform:ipworks config.BlockedClients differs tlsio/server.Config.BlockedClients -- as AllowedClients
//conform:ipworks config.BindExclusively differs tlsio/server.Config.Set -- ports are never shared: False is refused
//conform:ipworks config.MaskSensitiveData differs tlsio/server.Config.Set -- keys and passwords are never logged: False is refused
//conform:ipworks SSLProvider differs tlsio/server.Config.Set -- there is one implementation, the internal one: it reads 2, 0 is accepted, 1 is refused
//conform:ipworks config.UseInternalSecurityAPI differs tlsio/server.Config.Set -- there is one implementation: it reads True, and False is refused
func TestPlainSettings(t *testing.T) {
	c := &Config{}
	for name, value := range map[string]string{
		"AllowedClients": "*", "BlockedClients": "", "BindExclusively": "True", "DefaultConnectionTimeout": "0", "InBufferSize": "0",
		"KeepAliveTime": "0", "MaxConnections": "1000", "TcpNoDelay": "False", "UseIPv6": "0", "LogSSLPackets": "False",
		"CodePage": "65001", "MaskSensitiveData": "True", "UseInternalSecurityAPI": "True", "SSLProvider": "2",
		"SSLEnabledCipherSuites": "*", "SSLEnabledProtocols": "15360", "SSLSecurityFlags": "0", "OpenSSLCipherList": "DEFAULT", "ReuseSSLSession": "True",
	} {
		if got := get(t, c, name); got != value {
			t.Errorf("default of %s is %q, want %q", name, got, value)
		}
	}
	for _, assignment := range []string{"AllowedClients=10.0.0.0/8,192.168.1.*,::1", "BlockedClients=10.1.2.3", "DefaultConnectionTimeout=7", "InBufferSize=65536",
		"OutBufferSize=4096", "KeepAliveTime=30000", "KeepAliveInterval=1500", "MaxConnections=100000", "TcpNoDelay=True", "UseIPv6=2", "LogSSLPackets=True", "CodePage=28591"} {
		set(t, c, assignment)
	}
	if fmt.Sprint(c.AllowedClients, c.BlockedClients) != "[10.0.0.0/8 192.168.1.* ::1] [10.1.2.3]" || c.HandshakeInactivity != 7*time.Second ||
		c.InBufferSize != 65536 || c.OutBufferSize != 4096 || c.KeepAliveTime != 30*time.Second || c.KeepAliveInterval != 1500*time.Millisecond ||
		c.MaxConnections != 100000 || !c.NoDelay || c.UseIPv6 != IPv4AndIPv6 || !c.LogTLSPackets || c.CodePage != Latin1 {
		t.Errorf("the fields are %+v", c)
	}
	set(t, c, "AllowedClients=*")
	if c.AllowedClients != nil {
		t.Errorf("* is %q", c.AllowedClients)
	}
	for assignment, want := range map[string]bool{"tcpnodelay=yes": true, "TCPNODELAY=0": false, "TcpNoDelay=1": true, " TcpNoDelay = FALSE ": false, "TcpNoDelay=true": true, "TcpNoDelay=No": false} {
		if err := c.Set(assignment); err != nil || c.NoDelay != want {
			t.Errorf("%s: %v, %v", assignment, c.NoDelay, err)
		}
	}
	for _, same := range []string{"BindExclusively=yes", "MaskSensitiveData=1", "UseInternalSecurityAPI=TRUE", "SSLProvider=0", "SSLProvider=2"} {
		if err := c.Set(same); err != nil {
			t.Error(err)
		}
	}
	for assignment, word := range map[string]string{
		"AllowedClients=host.example": "host.example", "BlockedClients=1.2.3": "1.2.3", "BindExclusively=False": "never shared",
		"DefaultConnectionTimeout=-1": "seconds", "DefaultConnectionTimeout=x": "seconds", "InBufferSize=-1": "67108864", "OutBufferSize=99999999999": "67108864",
		"KeepAliveTime=1.5": "milliseconds", "KeepAliveInterval=": "milliseconds", "MaxConnections=0": "100000", "MaxConnections=100001": "100000",
		"TcpNoDelay=maybe": "True or False", "UseIPv6=3": "both", "LogSSLPackets=": "True or False", "MaskSensitiveData=False": "never logged", "UseInternalSecurityAPI=False": "one implementation", "SSLProvider=1": "one implementation",
	} {
		refuse(t, c, assignment, word)
	}
}

// TestInfo: what can only be read.
//
//conform:ipworks config.BuildInfo works tlsio/server.Config.Get
//conform:ipworks config.LicenseInfo differs tlsio/server.Config.Get -- no key is needed; the lines say so
func TestInfo(t *testing.T) {
	c := &Config{}
	if v := get(t, c, "BuildInfo"); !strings.HasPrefix(v, "ingot.dev ") || !strings.Contains(v, runtime.Version()) {
		t.Errorf("BuildInfo is %q", v)
	}
	v := get(t, c, "LicenseInfo")
	for _, line := range []string{"Product: ", "Product Key: ", "License Source: ", "License Type: ", "Last Valid Build: "} {
		if !strings.Contains("\n"+v, "\n"+line) {
			t.Errorf("LicenseInfo lacks %q", line)
		}
	}
	refuse(t, c, "BuildInfo=1", "only be read")
	refuse(t, c, "LicenseInfo=1", "only be read")
}

// TestUnknownSettings: the error names what was perhaps meant.
func TestUnknownSettings(t *testing.T) {
	c := &Config{}
	for name, meant := range map[string]string{"MaxConnection": "MaxConnections", "tcpdelay": "TcpNoDelay", "SSLEnabledProtocol": "SSLEnabledProtocols", "SSLNegotiatedProtocol": "SSLNegotiated", "": "?"} {
		for _, err := range []error{c.Set(name + "=1"), func() error { _, err := c.Get(name); return err }()} {
			if e, ok := errors.AsType[*SettingError](err); !ok || !strings.Contains(e.Fix, meant) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if err := c.Set("MaxConnections"); err == nil || !strings.Contains(err.Error(), "NAME=VALUE") {
		t.Errorf("without =: %v", err)
	}
	if err := c.Set("SSLCACerts=" + strings.Repeat("x", MaxSettingSize+1)); err == nil || len(err.Error()) > 400 {
		t.Errorf("a setting too large: %.400v", err)
	}
	refuse(t, c, "MaxConnections="+strings.Repeat("é", 100), "use 1")
}

// TestParse reads text of several lines.
func TestParse(t *testing.T) {
	ca := testPKI(t).ca.PEM()
	c := &Config{}
	text := "\ufeff# a server\r\n\r\n  MaxConnections = 12\r\nSSLClientCACerts=" + string(ca) + "\n" + string(ca) + "TcpNoDelay=yes\r\n"
	if err := c.Parse(text); err != nil {
		t.Fatal(err)
	}
	if c.MaxConnections != 12 || !c.NoDelay || len(c.text.ca[0]) != 2 {
		t.Errorf("parsed: %d, %v, %d certificates", c.MaxConnections, c.NoDelay, len(c.text.ca[0]))
	}
	before := *c
	err := c.Parse("MaxConnections=13\n# fine\nMaxConections=14\nnothing\nUseIPv6=4\nSSLCACerts=-----BEGIN CERTIFICATE-----\nAAAA\n")
	var lines []int
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			e, ok := errors.AsType[*SettingError](err)
			if !ok || !strings.HasPrefix(e.Error(), fmt.Sprintf("line %d: ", e.Line)) {
				t.Errorf("%v", err)
				continue
			}
			lines = append(lines, e.Line)
		}
	}
	if fmt.Sprint(lines) != "[3 4 5 6]" {
		t.Errorf("errors in lines %v: %v", lines, err)
	}
	if c.MaxConnections != before.MaxConnections || c.UseIPv6 != before.UseIPv6 {
		t.Error("text with errors has changed something")
	}
	if err := c.Parse(strings.Repeat("#\n", MaxTextSize)); err == nil {
		t.Error("too much text is accepted")
	}
	// Lines that only fit together.
	if err := c.Parse("SSLEnabledCipherSuites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\nSSLEnabledProtocols=3072"); err != nil {
		t.Error(err)
	}
}

// FuzzParse: no text breaks the parser, and what it accepts reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a=b", "TcpNoDelay=yes\n#x\nCodePage=1200", "SSLCACerts=-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n\n-----BEGIN",
		"SSLEnabledProtocols=0x3c00", "OpenSSLCipherList=ALL:!ADH:RC4+RSA:+SSLv2:@STRENGTH", "TLS13SupportedGroups=ecdhe_x25519,", "SSLSecurityFlags=0x80000011"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &Config{}
		err := c.Parse(text)
		if err != nil {
			if c.text != nil || c.NoDelay || c.MaxConnections != 0 {
				t.Fatalf("%v, and yet it changed something", err)
			}
			return
		}
		if err := c.settle(); err != nil {
			t.Fatalf("accepted, and then: %v", err)
		}
		again := &Config{}
		for _, s := range settings {
			if s.name == "BuildInfo" || s.name == "LicenseInfo" || s.name == "OpenSSLCipherList" || s.name == "SSLEnabledCipherSuites" {
				continue
			}
			v := get(t, c, s.name)
			if v == get(t, &Config{}, s.name) {
				continue
			}
			if fix := s.set(again, v); fix != "" {
				t.Fatalf("%s reads %q, which is refused: %s", s.name, v, fix)
			}
		}
	})
}

// TestConfigText: the reference's method config, on a server that listens.
//
//conform:ipworks config.perConnection works tlsio/server.Server.ConfigText
//conform:ipworks error.108 works tlsio/server.Server.ConfigText, tlsio/server.CodeMaxConnections
func TestConfigText(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noStatus|noReady)
	c, _ := b.open()
	for _, s := range []struct{ text, want string }{{"TcpNoDelay", "False"}, {"TcpNoDelay=yes", "True"}, {"maxconnections", "1000"}, {"MaxConnections=1000", "1000"}} {
		if got, err := b.ConfigText(s.text); err != nil || got != s.want {
			t.Errorf("%s: %q, %v", s.text, got, err)
		}
	}
	if !b.Config().NoDelay {
		t.Error("TcpNoDelay wasn't set")
	}
	for text, code := range map[string]Code{"MaxConnections=5": 108, "MaxConnections=x": 10022, "Nothing": 10022, "SSLNegotiatedVersion": 10022,
		"SSLNegotiatedVersion[77]": 126, "SSLNegotiatedVersion[1]=x": 10022, "TcpNoDelay[1]": 10022, "Nothing[1]": 10022} {
		_, err := b.ConfigText(text)
		wantCode(t, err, code)
		if _, ok := errors.AsType[*SettingError](err); code == 10022 && !ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if v, err := b.ConfigText("SSLNegotiatedVersion[" + c.ID() + "]"); v != "" || err != nil {
		t.Errorf("in plain text: %q, %v", v, err)
	}
}

// TestCodePages: text goes out in the code page, and what it doesn't have is refused.
//
//conform:ipworks config.CodePage differs tlsio/server.CodePage, tlsio/server.Config.CodePage -- UTF-8, UTF-16, ISO 8859-1 and ASCII; the others are refused
func TestCodePages(t *testing.T) {
	for page, want := range map[CodePage]string{0: "Grü\xc3\x9f€", UTF8: "Grü\xc3\x9f€", Latin1: "Gr\xfc\xdf", ASCII: "Gruss",
		UTF16LE: "G\x00r\x00\xfc\x00\xdf\x00\xac\x20\x3d\xd8\x00\xde", UTF16BE: "\x00G\x00r\x00\xfc\x00\xdf\x20\xac\xd8\x3d\xde\x00"} {
		text := map[CodePage]string{0: "Grüß€", UTF8: "Grüß€", Latin1: "Grüß", ASCII: "Gruss"}[page]
		if text == "" {
			text = "Grüß€😀"
		}
		got, err := page.Encode(text)
		if err != nil || string(got) != want {
			t.Errorf("%d: %q, %v", page, got, err)
		}
		if back, err := page.Decode(got); err != nil || back != text {
			t.Errorf("%d: back is %q, %v", page, back, err)
		}
	}
	for page, bad := range map[CodePage]string{Latin1: "€", ASCII: "é", 1252: "a"} {
		if _, err := page.Encode(bad); !errors.Is(err, ErrCodePage) {
			t.Errorf("%d encodes %q: %v", page, bad, err)
		}
	}
	for page, bad := range map[CodePage]string{UTF8: "\xff", ASCII: "\x80", UTF16LE: "a", UTF16BE: "\xd8\x00\x00a", 850: "a"} {
		if _, err := page.Decode([]byte(bad)); !errors.Is(err, ErrCodePage) {
			t.Errorf("%d decodes %q: %v", page, bad, err)
		}
	}
	for _, page := range []string{"1252", "037", "932", "65000", "x", "0"} {
		refuse(t, &Config{}, "CodePage="+page, "65001")
	}
	if _, err := New(testNetwork(t), Config{CodePage: 5}, Handler{}); err == nil {
		t.Error("code page 5 is accepted")
	}
	b := newBench(t, Config{CodePage: UTF16BE}, Handler{}, noStatus|noReady)
	c, cl := b.open()
	if _, err := c.SendLine("ß"); err != nil {
		t.Fatal(err)
	}
	if got := cl.read(6); got != "\x00\xdf\x00\r\x00\n" {
		t.Errorf("SendLine sent %q", got)
	}
	b = newBench(t, Config{CodePage: ASCII}, Handler{}, noStatus|noReady)
	c, _ = b.open()
	_, err := c.SendText("ß")
	if wantCode(t, err, 10022); !errors.Is(err, ErrCodePage) {
		t.Error(err)
	}
}

// FuzzCodePage: what decodes encodes to the same.
func FuzzCodePage(f *testing.F) {
	f.Add([]byte("\xd8\x3d\xde\x00"), 1201)
	f.Add([]byte("\xfc"), 28591)
	f.Fuzz(func(t *testing.T, data []byte, page int) {
		text, err := CodePage(page).Decode(data)
		if err != nil {
			return
		}
		back, err := CodePage(page).Encode(text)
		if page == int(Latin1) && strings.ContainsRune(text, '\ufffd') {
			t.Fatal("Latin-1 has no replacement character")
		}
		if err != nil && !strings.ContainsRune(text, '\ufffd') || err == nil && !bytes.Equal(back, data) {
			t.Fatalf("%q became %q and then %q: %v", data, text, back, err)
		}
	})
}

// outcome is how a handshake went, from both ends.
type outcome struct {
	client tls.ConnectionState
	err    error // the client's
	server *Connection
	failed error // the server's Connected
}

// handshake starts a server with the settings and has a client connect.
func handshake(t *testing.T, config Config, client *tls.Config, assignments ...string) (*bench, outcome) {
	t.Helper()
	if config.TLS.ServerCertificate == nil && config.TLS.GetCertificate == nil {
		with := serverTLS(t)
		config.TLS.ServerCertificate, config.TLS.ServerKey = with.ServerCertificate, with.ServerKey
	}
	config.StartMode = StartImplicit
	for _, a := range assignments {
		if err := config.Set(a); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, config, Handler{}, noStatus|noReady)
	return b, b.handshake(client)
}

func (b *bench) handshake(client *tls.Config) (o outcome) {
	b.t.Helper()
	conn := tls.Client(b.dial().Conn, client)
	o.err = conn.HandshakeContext(within(b.t))
	o.client = conn.ConnectionState()
	e := b.skipTo("Connected")
	if o.failed = e.err; e.err == nil {
		o.server, _ = b.Connection(e.id)
	}
	return o
}

// TestProtocols: which versions are negotiated.
//
//conform:ipworks config.SSLEnabledProtocols differs tlsio/server.Protocols, tlsio/server.Config.Set -- default is 15360, TLS 1.2 and 1.3; the versions are a range without gaps
//conform:ipworks config.SSLEnabledProtocols.12 refused tlsio/server.ProtocolSSL2 -- broken, and crypto/tls doesn't have it
//conform:ipworks config.SSLEnabledProtocols.48 refused tlsio/server.ProtocolSSL3 -- broken, and crypto/tls doesn't have it
//conform:ipworks config.SSLEnabledProtocols.192 differs tlsio/server.ProtocolTLS10 -- only beside TLS 1.1
//conform:ipworks config.SSLEnabledProtocols.768 works tlsio/server.ProtocolTLS11
//conform:ipworks config.SSLEnabledProtocols.3072 works tlsio/server.ProtocolTLS12
//conform:ipworks config.SSLEnabledProtocols.12288 works tlsio/server.ProtocolTLS13
//conform:ipworks config.perConnection works tlsio/server.Server.ConfigText
//conform:ipworks config.SSLNegotiatedVersion works tlsio/server.Server.ConfigText
func TestProtocols(t *testing.T) {
	versions := []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}
	names := []string{"TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"}
	for mask, accepts := range map[string]string{"12288": "3", "3072": "2", "768": "1", "960": "01", "4032": "012", "16320": "0123", "3840": "12", "15360": "23"} {
		config := Config{TLS: serverTLS(t)}
		config.StartMode = StartImplicit
		set(t, &config, "SSLEnabledProtocols="+mask)
		b := newBench(t, config, Handler{}, noStatus|noReady)
		for i, v := range versions {
			client := clientTLS(t)
			client.MinVersion, client.MaxVersion = v, v
			o := b.handshake(client)
			if want := strings.Contains(accepts, fmt.Sprint(i)); (o.err == nil) != want {
				t.Errorf("%s: %s: %v", mask, names[i], o.err)
			} else if want {
				if got, err := b.ConfigText("SSLNegotiatedVersion[" + o.server.ID() + "]"); err != nil || got != names[i] {
					t.Errorf("SSLNegotiatedVersion is %q, %v", got, err)
				}
			} else if CodeOf(o.failed) != CodeHandshake {
				t.Errorf("%s: %s: the server says %v", mask, names[i], o.failed)
			}
		}
	}
	c := &Config{}
	for value, word := range map[string]string{"12": "SSL2 is broken", "48": "SSL3 is broken", "3120": "SSL3", "192": "add 768", "13056": "gap", "12480": "gap",
		"1024": "one of the two bits", "1048576": "sum", "0": "sum", "-1": "sum", "TLS1.2": "sum", "": "sum"} {
		refuse(t, c, "SSLEnabledProtocols="+value, word)
	}
	if err := c.Set("SSLEnabledProtocols=0xC00"); err != nil || get(t, c, "SSLEnabledProtocols") != "3072" {
		t.Errorf("in hexadecimal: %v", err)
	}
}

// TestSuites: which suites are negotiated, and which are refused by name.
//
//conform:ipworks config.SSLEnabledCipherSuites differs tlsio/server.Config.Set -- naming no suite of a version turns the version off; TLS 1.3 has all three of its suites or none
//conform:ipworks config.SSLEnabledCipherSuites.TLS12 differs tlsio/server.Config.Set -- 18 of the names are there; the others are refused with the reason
//conform:ipworks config.SSLEnabledCipherSuites.TLS13 differs tlsio/server.Config.Set -- all three or none: crypto/tls can't choose among them
//conform:ipworks config.SSLEnabledCipherSuites.CALG refused tlsio/server.SettingError -- algorithms of SChannel, no cipher suites
//conform:ipworks config.SSLNegotiatedCipher works tlsio/server.Server.ConfigText
//conform:ipworks config.SSLNegotiatedCipherStrength works tlsio/server.Server.ConfigText
//conform:ipworks config.SSLNegotiatedCipherSuite works tlsio/server.Server.ConfigText
//conform:ipworks config.SSLNegotiatedKeyExchange works tlsio/server.Server.ConfigText
//conform:ipworks config.SSLNegotiatedKeyExchangeStrength works tlsio/server.Server.ConfigText
func TestSuites(t *testing.T) {
	there, missing := 0, 0
	for _, name := range referenceSuites {
		c := &Config{}
		suite, ok := tlsio.CipherByName(name)
		if !ok {
			missing++
			refuse(t, c, "SSLEnabledCipherSuites="+name, name+" is not there: crypto/tls has no ")
			continue
		}
		there++
		config := Config{TLS: serverTLS(t)}
		if !strings.Contains(name, "ECDSA") {
			key, err := testPKI(t).rsa.KeyDER()
			if err != nil {
				t.Fatal(err)
			}
			config.TLS = tlsio.TLSOptions{ServerCertificate: [][]byte{testPKI(t).rsa.DER()}, ServerKey: [][]byte{key}}
		}
		client := clientTLS(t)
		client.CipherSuites, client.MaxVersion = []uint16{suite.ID}, tls.VersionTLS13
		client.CurvePreferences = []tls.CurveID{tls.CurveP384}
		b, o := handshake(t, config, client, "SSLEnabledCipherSuites="+name)
		if o.err != nil || o.client.CipherSuite != suite.ID || o.client.Version == tls.VersionTLS13 {
			t.Errorf("%s: negotiated %x, %v", name, o.client.CipherSuite, o.err)
			continue
		}
		exchange, strength := "ecdhe_secp384r1", "384"
		if strings.HasPrefix(name, "TLS_RSA_") {
			exchange, strength = "RSA", "2048"
		}
		cipher := name[strings.Index(name, "_WITH_")+len("_WITH_") : strings.LastIndexByte(name, '_')]
		for setting, want := range map[string]string{"SSLNegotiatedCipherSuite": name, "SSLNegotiatedCipher": cipher, "SSLNegotiatedCipherStrength": fmt.Sprint(suite.Bits),
			"SSLNegotiatedKeyExchange": exchange, "SSLNegotiatedKeyExchangeStrength": strength} {
			if got, err := b.ConfigText(setting + "[" + o.server.ID() + "]"); err != nil || got != want {
				t.Errorf("%s: %s is %q, want %q: %v", name, setting, got, want, err)
			}
		}
		// A client that has only another suite isn't served.
		client.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}
		if o := b.handshake(client); o.err == nil {
			t.Errorf("%s: %x is negotiated too", name, o.client.CipherSuite)
		}
	}
	if there != 18 || missing != 36 {
		t.Errorf("%d suites are there, %d are not", there, missing)
	}
	for _, name := range referenceCALG {
		refuse(t, &Config{}, "SSLEnabledCipherSuites="+name, "SChannel")
	}

	modern := "TLS_AES_256_GCM_SHA384;TLS_CHACHA20_POLY1305_SHA256;TLS_AES_128_GCM_SHA256"
	client := clientTLS(t)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	b, o := handshake(t, Config{}, client, "SSLEnabledCipherSuites="+modern)
	if got, err := b.ConfigText("SSLNegotiatedKeyExchange[" + o.server.ID() + "]"); o.err != nil || got != "ecdhe_x25519" {
		t.Errorf("TLS 1.3: %q, %v, %v", got, err, o.err)
	}
	if got, _ := b.ConfigText("SSLNegotiatedCipher[" + o.server.ID() + "]"); !strings.Contains(got, "_") || strings.Contains(got, "SHA") || strings.HasPrefix(got, "TLS") {
		t.Errorf("SSLNegotiatedCipher of TLS 1.3 is %q", got)
	}
	client.MaxVersion = tls.VersionTLS12
	if o := b.handshake(client); o.err == nil {
		t.Error("TLS 1.2 without any of its suites")
	}
	c := &Config{}
	refuse(t, c, "SSLEnabledCipherSuites=TLS_AES_256_GCM_SHA384", "all three")
	refuse(t, c, "SSLEnabledCipherSuites=ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA")
	refuse(t, c, "SSLEnabledCipherSuites=TLS_NULL", "no suite TLS_NULL")
	refuse(t, c, "SSLEnabledCipherSuites=", "at least one")
	set(t, c, "SSLEnabledProtocols=15360")
	refuse(t, c, "SSLEnabledCipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "SSLEnabledProtocols")
	refuse(t, c, "SSLEnabledCipherSuites="+modern, "SSLEnabledProtocols")
	set(t, c, "SSLEnabledCipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;"+modern)
	set(t, c, "SSLEnabledCipherSuites=*")
}

// TestStrength: suites below it aren't negotiated.
//
//conform:ipworks config.SSLCipherStrength differs tlsio/server.Config.Set -- above 128 bits it turns TLS 1.3 off, whose suite of 128 bits can't be left out
func TestStrength(t *testing.T) {
	client := clientTLS(t)
	_, o := handshake(t, Config{}, client, "SSLCipherStrength=256")
	if suite, _ := tlsio.CipherByID(o.client.CipherSuite); o.err != nil || suite.Bits != 256 || o.client.Version != tls.VersionTLS12 {
		t.Errorf("negotiated %v, %v", suite, o.err)
	}
	client.CipherSuites, client.MaxVersion = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, tls.VersionTLS12
	if _, o := handshake(t, Config{}, client, "SSLCipherStrength=129"); o.err == nil {
		t.Error("a cipher of 128 bits is negotiated")
	}
	if _, o := handshake(t, Config{}, client, "SSLCipherStrength=128"); o.err != nil {
		t.Error(o.err)
	}
	c := &Config{}
	set(t, c, "SSLEnabledProtocols=12288")
	refuse(t, c, "SSLCipherStrength=256", "no suites")
	for _, v := range []string{"-1", "257", "strong"} {
		refuse(t, c, "SSLCipherStrength="+v, "bits")
	}
}

// TestCipherStrings holds the parser against what openssl ciphers says, for the
// suites that both have.
//
//conform:ipworks config.OpenSSLCipherList differs tlsio/server.Config.Set -- a set: crypto/tls has its own order; words for what it doesn't have can only be excluded
func TestCipherStrings(t *testing.T) {
	client := clientTLS(t)
	client.MaxVersion = tls.VersionTLS12
	_, o := handshake(t, Config{}, client, "OpenSSLCipherList=ECDHE+AES256:!SHA1:!aNULL:@STRENGTH")
	if o.err != nil || o.client.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 {
		t.Errorf("negotiated %x, %v", o.client.CipherSuite, o.err)
	}
	for value, want := range map[string][]string{
		"ECDHE-RSA-AES128-GCM-SHA256":                        {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:DES-CBC3-SHA": {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		"kRSA+AESGCM":              {"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384"},
		"RC4+RSA":                  {"TLS_RSA_WITH_RC4_128_SHA"},
		"CHACHA20 aRSA+CHACHA20":   {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		"CHACHA20:!ECDSA:CHACHA20": {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		"CHACHA20,-CHACHA20,ECDHE-ECDSA-CHACHA20-POLY1305,!ADH":  {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
		"ECDSA+SHA256:!MD5:!EXP:+ECDHE-ECDSA-AES128-SHA256:-PSK": {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
	} {
		ids, fix := parseCipherString(value)
		var got []string
		for _, id := range ids {
			c, _ := tlsio.CipherByID(id)
			got = append(got, c.StandardName)
		}
		if fix != "" || fmt.Sprint(sorted(got)) != fmt.Sprint(sorted(want)) {
			t.Errorf("%s: %v, %s", value, got, fix)
		}
	}
	if ids, fix := parseCipherString("ALL:!ADH:RC4+RSA:+SSLv2:@STRENGTH"); fix != "" || len(ids) != len(suites12()) {
		t.Errorf("the reference's default: %d suites, %s", len(ids), fix)
	}
	if ids, _ := parseCipherString("DEFAULT"); len(ids)+suites13 != len(tls.CipherSuites()) {
		t.Errorf("DEFAULT has %d suites", len(ids))
	}
	c := &Config{}
	for value, word := range map[string]string{"": "no suite is left", "NONSENSE": "NONSENSE", "ALL:!ALL": "no suite is left", "CAMELLIA": "no suites with CAMELLIA",
		"@SECLEVEL=2": "@SECLEVEL", "TLS_AES_128_GCM_SHA256": "TLS 1.3", "AES+NONSENSE": "NONSENSE", "!": "neither"} {
		refuse(t, c, "OpenSSLCipherList="+value, word)
	}
}

// FuzzCipherString: whatever the string, suites come out or a reason.
func FuzzCipherString(f *testing.F) {
	f.Add("ALL:!ADH:RC4+RSA:+SSLv2:@STRENGTH")
	f.Add("ECDHE+AESGCM,-RSA:!")
	f.Fuzz(func(t *testing.T, s string) {
		ids, fix := parseCipherString(s)
		if (len(ids) == 0) == (fix == "") {
			t.Fatalf("%q: %v, %q", s, ids, fix)
		}
	})
}

// TestGroups: which groups are negotiated.
//
//conform:ipworks config.TLS12SupportedGroups differs tlsio/server.Config.Set -- a set; with TLS 1.3 enabled too it must be the same for both
//conform:ipworks config.TLS13SupportedGroups differs tlsio/server.Config.Set -- a set without X448 and finite-field groups; hybrids with ML-KEM besides
//conform:ipworks config.TLS13KeyShareGroups refused tlsio/server.SettingError -- a server sends one key share, in the group that the client's hello decides
func TestGroups(t *testing.T) {
	for _, test := range []struct {
		assignments []string
		version     uint16
		accepts     string
	}{
		{[]string{"SSLEnabledProtocols=3072", "TLS12SupportedGroups=ecdhe_secp384r1,ecdhe_secp521r1"}, tls.VersionTLS12, "P384 P521"},
		{[]string{"SSLEnabledProtocols=12288", "TLS13SupportedGroups=ecdhe_x25519, x25519mlkem768"}, tls.VersionTLS13, "X25519 X25519MLKEM768"},
	} {
		config := Config{TLS: serverTLS(t), StartMode: StartImplicit}
		for _, a := range test.assignments {
			set(t, &config, a)
		}
		b := newBench(t, config, Handler{}, noStatus|noReady)
		for name, id := range map[string]tls.CurveID{"P256": tls.CurveP256, "P384": tls.CurveP384, "P521": tls.CurveP521, "X25519": tls.X25519, "X25519MLKEM768": tls.X25519MLKEM768} {
			if test.version == tls.VersionTLS12 && id == tls.X25519MLKEM768 {
				continue
			}
			client := clientTLS(t)
			client.MinVersion, client.MaxVersion, client.CurvePreferences = test.version, test.version, []tls.CurveID{id}
			o := b.handshake(client)
			if want := strings.Contains(" "+test.accepts+" ", " "+name+" "); (o.err == nil) != want || want && o.client.CurveID != id {
				t.Errorf("%v: %s: %v", test.assignments, name, o.err)
			}
		}
	}
	c := &Config{}
	for _, name := range []string{"ecdhe_x448", "ffdhe_2048", "ffdhe_3072", "ffdhe_4096", "ffdhe_6144", "ffdhe_8192"} {
		refuse(t, c, "TLS13SupportedGroups=ecdhe_x25519,"+name, name)
	}
	refuse(t, c, "TLS12SupportedGroups=secp256k1", "secp256k1")
	refuse(t, c, "TLS12SupportedGroups=", "at least one")
	refuse(t, c, "TLS12SupportedGroups=ecdhe_secp256r1", "one set of groups")
	refuse(t, c, "TLS13KeyShareGroups=ecdhe_x25519", "one key share")
	if err := c.Parse("TLS12SupportedGroups=ecdhe_secp256r1,ecdhe_x25519\nTLS13SupportedGroups=x25519mlkem768,ecdhe_x25519,ecdhe_secp256r1"); err != nil {
		t.Error(err)
	}
}

// TestSignatures: client certificates signed otherwise are refused.
//
//conform:ipworks config.TLS12SignatureAlgorithms differs tlsio/server.Config.Set -- checked on clients' certificates; what is offered in the handshake is crypto/tls's; names of DSA, SHA-224 and SHA-1 are refused
//conform:ipworks config.TLS13SignatureAlgorithms differs tlsio/server.Config.Set -- as TLS12SignatureAlgorithms; ed448 is refused
func TestSignatures(t *testing.T) {
	w := testPKI(t) // its CA signs with ECDSA and SHA-256
	for _, test := range []struct {
		assignment string
		version    uint16
		ok         bool
	}{
		{"TLS12SignatureAlgorithms=sha256-ecdsa,sha256-rsa", tls.VersionTLS12, true},
		{"TLS12SignatureAlgorithms=sha256-rsa", tls.VersionTLS12, false},
		{"TLS12SignatureAlgorithms=sha256-rsa", tls.VersionTLS13, true},
		{"TLS12SignatureAlgorithms=", tls.VersionTLS12, true},
		{"TLS13SignatureAlgorithms=ecdsa_secp256r1_sha256", tls.VersionTLS13, true},
		{"TLS13SignatureAlgorithms=rsa_pss_sha256,ed25519", tls.VersionTLS13, false},
		{"TLS13SignatureAlgorithms=rsa_pss_sha256,ed25519", tls.VersionTLS12, true},
	} {
		config := Config{AuthenticateClients: true, TLS: serverTLS(t)}
		config.TLS.CA = [][]byte{w.ca.DER()}
		client := clientTLS(t, w.client)
		client.MinVersion, client.MaxVersion = test.version, test.version
		_, o := handshake(t, config, client, test.assignment)
		if (o.failed == nil) != test.ok {
			t.Errorf("%s with %x: %v", test.assignment, test.version, o.failed)
		}
		if o.failed != nil && CodeOf(o.failed) != CodeVerify {
			t.Errorf("%s: %v has the number %d", test.assignment, o.failed, CodeOf(o.failed))
		}
	}
	c := &Config{}
	for _, name := range []string{"sha256-dsa", "sha224-rsa", "sha1-rsa", "sha1-ecdsa"} {
		refuse(t, c, "TLS12SignatureAlgorithms=sha256-rsa,"+name, name)
	}
	refuse(t, c, "TLS13SignatureAlgorithms=ed448", "ed448")
	refuse(t, c, "TLS13SignatureAlgorithms=sha256-rsa", "sha256-rsa")
	refuse(t, c, "TLS12SignatureAlgorithms=x", "no signature algorithm x")
}

// TestSecurityFlags: what is wrong with clients' certificates, and what is overlooked.
//
//conform:ipworks config.SSLSecurityFlags differs tlsio/server.SecurityFlags, tlsio/server.Config.Set -- for clients' certificates; flags that nothing here has a meaning for are refused
//conform:ipworks config.SSLSecurityFlags.0x00000001 works tlsio/server.IgnoreTime
//conform:ipworks config.SSLSecurityFlags.0x00000002 refused tlsio/server.SettingError -- there are no certificate trust lists
//conform:ipworks config.SSLSecurityFlags.0x00000004 differs tlsio/server.IgnoreNesting -- accepted: crypto/x509 never demands nesting
//conform:ipworks config.SSLSecurityFlags.0x00000010 works tlsio/server.AllowUnknownAuthority
//conform:ipworks config.SSLSecurityFlags.0x00000020 works tlsio/server.IgnoreUsage
//conform:ipworks config.SSLSecurityFlags.0x00000100 differs tlsio/server.IgnoreRevocation -- accepted: an unknown status never refuses, unless tlsio.CRLs demand one
//conform:ipworks config.SSLSecurityFlags.0x00000200 refused tlsio/server.SettingError -- there are no certificate trust lists
//conform:ipworks config.SSLSecurityFlags.0x00000400 differs tlsio/server.IgnoreAuthorityRevoked -- as 0x100
//conform:ipworks config.SSLSecurityFlags.0x00000800 differs tlsio/server.IgnoreRootRevoked -- as 0x100
//conform:ipworks config.SSLSecurityFlags.0x00004000 refused tlsio/server.SettingError -- there is no test root
//conform:ipworks config.SSLSecurityFlags.0x00008000 refused tlsio/server.SettingError -- there is no test root
//conform:ipworks config.SSLSecurityFlags.0x80000000 differs tlsio/server.IgnoreName -- accepted: clients' names are compared with nothing
func TestSecurityFlags(t *testing.T) {
	w := testPKI(t)
	server, err := w.ca.Issue(pki.Template{CommonName: "only a server", DNSNames: []string{"x.test"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		client *pki.Credential
		flags  string
		want   Code
	}{
		{w.client, "0", 0},
		{w.expired, "0", 275},
		{w.expired, "0x10", 275},
		{w.expired, "0x1", 0},
		{w.rogue, "0", 274},
		{w.rogue, "0x21", 274},
		{w.rogue, "16", 0},
		{server, "0", 275},
		{server, "0x11", 275},
		{server, "0x20", 0},
		{w.client, "0x80000d35", 0},
	} {
		config := Config{AuthenticateClients: true, TLS: serverTLS(t)}
		config.TLS.CA = [][]byte{w.ca.DER()}
		_, o := handshake(t, config, clientTLS(t, test.client), "SSLSecurityFlags="+test.flags)
		if CodeOf(o.failed) != test.want {
			t.Errorf("%s with flags %s: %v", test.client.Cert.Subject, test.flags, o.failed)
		}
		if o.failed == nil {
			if state := o.server.TLS().State(); state.Authorized() != (test.client == w.client) {
				t.Errorf("%s with flags %s: authorized is %v", test.client.Cert.Subject, test.flags, state.Authorized())
			}
		}
	}
	// No certificate at all is never overlooked.
	config := Config{AuthenticateClients: true, TLS: serverTLS(t)}
	config.TLS.CA = [][]byte{w.ca.DER()}
	if _, o := handshake(t, config, clientTLS(t), "SSLSecurityFlags=0x31"); o.failed == nil {
		t.Error("a client without certificate is accepted")
	}
	c := &Config{}
	for _, flags := range []string{"2", "0x200"} {
		refuse(t, c, "SSLSecurityFlags="+flags, "trust lists")
	}
	for _, flags := range []string{"0x4000", "0x8000"} {
		refuse(t, c, "SSLSecurityFlags="+flags, "test root")
	}
	refuse(t, c, "SSLSecurityFlags=0x40", "no flag 0x40")
	refuse(t, c, "SSLSecurityFlags=many", "sum")
	if err := c.Set("SSLSecurityFlags=0x31"); err != nil || get(t, c, "SSLSecurityFlags") != "49" {
		t.Error(err)
	}
}

// TestUnusedSettings: what judges clients' certificates is refused where none is
// asked for, or where this server doesn't judge it.
func TestUnusedSettings(t *testing.T) {
	for _, assignment := range []string{"SSLSecurityFlags=0x10", "TLS12SignatureAlgorithms=sha256-rsa", "TLS13SignatureAlgorithms=ed25519"} {
		for _, auth := range []tlsio.ClientAuth{tlsio.ClientAuthNone, tlsio.ClientAuthRequire} {
			config := Config{StartMode: StartImplicit, TLS: serverTLS(t)}
			if config.TLS.ClientAuth = auth; auth != tlsio.ClientAuthNone {
				config.TLS.CA = [][]byte{testPKI(t).ca.DER()}
			}
			if err := config.Set(assignment); err != nil {
				t.Fatal(err)
			}
			s, err := New(testNetwork(t), config, Handler{})
			if err != nil {
				t.Fatal(err)
			}
			err = s.StartListening(within(t))
			s.Close()
			e, ok := errors.AsType[*SettingError](err)
			if !ok || !strings.HasPrefix(assignment, e.Name+"=") || CodeOf(err) != CodeInvalidArgument {
				t.Errorf("%s with ClientAuth %q: %v", assignment, auth, err)
			}
		}
	}
}

// TestAuthorities: each way to name the authorities of clients.
//
//conform:ipworks config.SSLClientCACerts differs tlsio/server.Config.Set -- there are no other trusted authorities than these, Config.TLS.CA and Roots
//conform:ipworks config.OpenSSLCAFile works tlsio/server.Config.Set, tlsio/server.Config.Files
//conform:ipworks config.OpenSSLCADir differs tlsio/server.Config.Set, tlsio/server.Config.Files -- its files are read when it is set, not during handshakes
//conform:ipworks config.SSLServerCACerts refused tlsio/server.SettingError -- a server judges no servers
//conform:ipworks config.SSLAcceptAnyServerCert refused tlsio/server.SettingError -- a server judges no servers; False is accepted
//conform:ipworks config.SSLIncludeCertChain differs tlsio/server.ClientAuthentication.Chain -- the event always has the whole chain: it reads True, and False is refused
func TestAuthorities(t *testing.T) {
	w := testPKI(t)
	bundle := "any text\n" + string(w.other.PEM()) + "between\r\n" + string(w.ca.PEM()) + "\r\n"
	files := fstest.MapFS{"ca.pem": {Data: []byte(bundle)}, "none.pem": {Data: []byte("nothing")}, "dir/9d66eef0.0": {Data: w.ca.PEM()}, "dir/9d66eef0.1": {Data: w.other.PEM()},
		"dir/README": {Data: []byte("x")}, "empty/x.pem": {Data: w.ca.PEM()}, "big": {Data: make([]byte, MaxTextSize+1)}}
	for _, assignment := range []string{"SSLClientCACerts=" + strings.TrimSpace(bundle), "OpenSSLCAFile=ca.pem", "OpenSSLCADir=dir"} {
		for _, client := range []*pki.Credential{w.client, w.rogue} {
			config := Config{AuthenticateClients: true, Files: files, TLS: serverTLS(t)}
			_, o := handshake(t, config, clientTLS(t, client), assignment)
			if o.failed != nil || len(o.server.TLS().State().PeerCertificates) == 0 {
				t.Errorf("%.40s: %v", assignment, o.failed)
			}
		}
	}
	c := &Config{Files: files}
	for assignment, word := range map[string]string{
		"SSLClientCACerts=x": "no certificate", "SSLClientCACerts=-----BEGIN CERTIFICATE-----": "cut short",
		"SSLClientCACerts=" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})): "certificate 1 is broken",
		"SSLClientCACerts=" + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})): "PRIVATE KEY",
		"OpenSSLCAFile=missing": "can't be read", "OpenSSLCAFile=none.pem": "no certificate", "OpenSSLCAFile=big": "larger", "OpenSSLCADir=missing": "can't be read", "OpenSSLCADir=empty": "rehash",
		"SSLServerCACerts=" + strings.TrimSpace(string(w.ca.PEM())): "for clients", "SSLAcceptAnyServerCert=True": "for clients", "SSLIncludeCertChain=False": "whole chain",
	} {
		refuse(t, c, assignment, word)
	}
	for _, assignment := range []string{"OpenSSLCAFile=ca.pem", "OpenSSLCADir=dir"} {
		refuse(t, &Config{}, assignment, "Config.Files")
	}
	for _, same := range []string{"SSLAcceptAnyServerCert=no", "SSLIncludeCertChain=1", "SSLServerCACerts="} {
		if err := c.Set(same); err != nil {
			t.Error(err)
		}
	}
}

// TestChainSetting: SSLCACerts go with the server's certificate.
//
//conform:ipworks config.SSLCACerts works tlsio/server.Config.Set
func TestChainSetting(t *testing.T) {
	w := testPKI(t)
	via, err := w.ca.Intermediate(pki.Template{CommonName: "between"})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := via.Issue(pki.Template{CommonName: "server.test", DNSNames: []string{"server.test"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := leaf.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	config := Config{TLS: tlsio.TLSOptions{ServerCertificate: [][]byte{leaf.Cert.Raw}, ServerKey: [][]byte{key}}}
	if _, o := handshake(t, config, clientTLS(t)); o.err == nil {
		t.Error("the test is wrong: the chain is complete without the setting")
	}
	bundle := strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: via.Cert.Raw})))
	_, o := handshake(t, config, clientTLS(t), "SSLCACerts="+bundle)
	if o.err != nil || len(o.client.PeerCertificates) != 2 {
		t.Errorf("%d certificates, %v", len(o.client.PeerCertificates), o.err)
	}
	config = Config{StartMode: StartImplicit, TLS: tlsio.TLSOptions{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}}
	set(t, &config, "SSLCACerts="+bundle)
	s, err := New(testNetwork(t), config, Handler{})
	if err == nil {
		err = s.StartListening(within(t))
		s.Close()
	}
	if e, ok := errors.AsType[*SettingError](err); !ok || e.Name != "SSLCACerts" {
		t.Errorf("without ServerCertificate: %v", err)
	}
}

// TestSessionsAndLogs: resumption, the key log, and what can't be changed.
//
//conform:ipworks config.ReuseSSLSession differs tlsio/server.Config.Set, tlsio.TLSOptions.NoSessions -- default True; a server's tickets are good for days, for any client that holds one
//conform:ipworks config.SSLKeyLogFile differs tlsio/server.Config.Set, tlsio/server.Config.OpenAppend -- the program opens it, to append
//conform:ipworks config.SSLEnableRenegotiation differs tlsio/server.Config.Set -- a server of crypto/tls answers the extension whenever a client sends it, and never renegotiates: it reads True, and False is refused
//conform:ipworks config.OpenSSLPrngSeedData refused tlsio/server.SettingError -- random numbers come from the system's entropy and need no seed
func TestSessionsAndLogs(t *testing.T) {
	for _, reuse := range []string{"", "ReuseSSLSession=True", "ReuseSSLSession=False"} {
		client := clientTLS(t)
		client.MaxVersion, client.ClientSessionCache = tls.VersionTLS12, tls.NewLRUClientSessionCache(4)
		var assignments []string
		if reuse != "" {
			assignments = append(assignments, reuse)
		}
		b, first := handshake(t, Config{}, client, assignments...)
		second := b.handshake(client)
		if first.err != nil || second.err != nil || second.client.DidResume != (reuse != "ReuseSSLSession=False") {
			t.Errorf("%q: resumed %v, %v, %v", reuse, second.client.DidResume, first.err, second.err)
		}
	}
	var log bytes.Buffer
	name := ""
	config := Config{OpenAppend: func(n string) (io.Writer, error) {
		if n == "bad" {
			return nil, errors.New("flash is full")
		}
		name = n
		return &log, nil
	}}
	_, o := handshake(t, config, clientTLS(t), "SSLKeyLogFile=/logs/keys.txt")
	if o.err != nil || name != "/logs/keys.txt" || !strings.Contains(log.String(), "SERVER_TRAFFIC_SECRET_0 ") {
		t.Errorf("%v; logged to %q: %q", o.err, name, log.String())
	}
	refuse(t, &config, "SSLKeyLogFile=bad", "flash is full")
	c := &Config{}
	refuse(t, c, "SSLKeyLogFile=x", "Config.OpenAppend")
	refuse(t, c, "ReuseSSLSession=x", "True or False")
	refuse(t, c, "SSLEnableRenegotiation=False", "never renegotiates")
	refuse(t, c, "OpenSSLPrngSeedData=secret seed", "entropy")
	if err := c.Set("OpenSSLPrngSeedData=secret seed"); strings.Contains(err.Error(), "secret seed") {
		t.Errorf("the seed is in the error: %v", err)
	}

	// With a context of the program's own, the settings would have no effect.
	context, err := tlsio.NewServerContext(serverTLS(t))
	if err != nil {
		t.Fatal(err)
	}
	config = Config{StartMode: StartImplicit, TLS: tlsio.TLSOptions{Context: context}}
	set(t, &config, "SSLEnabledProtocols=3072")
	s, err := New(testNetwork(t), config, Handler{})
	if err == nil {
		err = s.StartListening(within(t))
		s.Close()
	}
	if e, ok := errors.AsType[*tlsio.OptionError](err); !ok || e.Option != "TLS.Context" {
		t.Errorf("beside TLS.Context: %v", err)
	}
}

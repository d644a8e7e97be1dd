package tlsio

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestState: both sides' views fit together.
//
//conform:bun getCipher works tlsio.State.Cipher
//conform:bun getTLSVersion differs tlsio.State.VersionName -- servers get it too; empty before the handshake
//conform:bun getEphemeralKeyInfo differs tlsio.State.EphemeralKey -- hybrid groups are {KEM, X25519MLKEM768}
//conform:bun getServername works tlsio.State.ServerName
//conform:bun getX509Certificate works tlsio.State.LocalCertificate
//conform:bun getPeerX509Certificate works tlsio.State.PeerCertificates
//conform:bun setServername differs tlsio.SecureOptions.Host -- given with the connection, before its handshake
func TestState(t *testing.T) {
	w := pki(t)
	for _, v := range bothVersions {
		server := serverContext(t, func(o *TLSOptions) { o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER} })
		client := clientContext(t, with(only(v), present(w.client), named("")))
		for resumed := range 2 {
			s, c := connect(t, server, client, SecureOptions{}, SecureOptions{Host: "server.test"}).ok(t).states()
			if s.VersionName() != v || c.VersionName() != v || s.Cipher() != c.Cipher() || s.Cipher().Name == "" {
				t.Errorf("%s: %s %v, %s %v", v, s.VersionName(), s.Cipher(), c.VersionName(), c.Cipher())
			}
			if s.ServerName != "server.test" || c.ServerName != "server.test" || c.Host != "server.test" || s.Host != "" || !s.Server || c.Server {
				t.Errorf("names %q, %q, %q", s.ServerName, c.ServerName, c.Host)
			}
			if s.EphemeralKey() != nil {
				t.Errorf("a server's EphemeralKey is %v", s.EphemeralKey())
			}
			switch k := *c.EphemeralKey(); {
			case v == TLSv13 && k != (EphemeralKey{"KEM", "X25519MLKEM768", 0}),
				v == TLSv12 && resumed == 0 && k != (EphemeralKey{"ECDH", "X25519", 253}),
				v == TLSv12 && resumed == 1 && k != (EphemeralKey{}):
				t.Errorf("%s, %d: %+v", v, resumed, k)
			}
			if resumed == 0 && (!bytes.Equal(s.LocalCertificate().Raw, w.server.cert) || !bytes.Equal(c.LocalCertificate().Raw, w.client.cert) || len(c.LocalChain()) != 1) {
				t.Error("own certificates")
			}
			if !bytes.Equal(c.PeerCertificates[0].Raw, w.server.cert) || !bytes.Equal(s.PeerCertificates[0].Raw, w.client.cert) || !s.Authorized() || !c.Authorized() {
				t.Error("peers' certificates")
			}
			if s.LocalAddr.String() != c.RemoteAddr.String() || s.RemoteAddr.String() != c.LocalAddr.String() {
				t.Error("addresses")
			}
			if s.DidResume != (resumed == 1) {
				t.Errorf("resumed %v", s.DidResume)
			}
		}
	}
	// An address is no SNI.
	s, c := connect(t, serverContext(t, nil), clientContext(t, named("127.0.0.1")), SecureOptions{}, SecureOptions{}).ok(t).states()
	if s.ServerName != "" || c.ServerName != "" || c.Host != "127.0.0.1" || !c.Authorized() {
		t.Errorf("%q, %q, %q", s.ServerName, c.ServerName, c.Host)
	}
}

// TestChannelBinding: both sides have the same bytes, others have others.
//
//conform:bun exportKeyingMaterial works tlsio.State.ExportKeyingMaterial
//conform:bun exportKeyingMaterial.context works tlsio.State.ExportKeyingMaterial
//conform:bun getTLSFinishedMessage refused tlsio.ErrFinished -- crypto/tls doesn't give it out; State.ChannelBinding is what it was for
//conform:bun getTLSPeerFinishedMessage refused tlsio.ErrFinished -- crypto/tls doesn't give it out; State.ChannelBinding is what it was for
func TestChannelBinding(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range bothVersions {
		server, client := serverContext(t, nil), clientContext(t, only(v))
		for resumed := range 2 {
			p := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
			s, c := p.states()
			for kind, size := range map[string]int{BindingExporter: 32, BindingUnique: 12, BindingServerEndPoint: 32} {
				a, err := c.ChannelBinding(kind)
				if kind == BindingUnique && v == TLSv13 {
					if !errors.Is(err, ErrChannelBinding) {
						t.Errorf("tls-unique of TLS 1.3: %x, %v", a, err)
					}
					continue
				}
				if err != nil || len(a) != size {
					t.Errorf("%s, %s: %x, %v", v, kind, a, err)
				}
				b, err := s.ChannelBinding(kind)
				if kind == BindingServerEndPoint && resumed == 1 {
					if !errors.Is(err, ErrChannelBinding) { // this connection sent no certificate
						t.Errorf("%x, %v", b, err)
					}
					continue
				}
				if err != nil || !bytes.Equal(a, b) {
					t.Errorf("%s, %s: %x and %x, %v", v, kind, a, b, err)
				}
				if kind != BindingServerEndPoint && seen[string(a)] {
					t.Errorf("%s, %s: not unique", v, kind)
				}
				seen[string(a)] = true
			}
			if _, err := c.ChannelBinding("tls-new"); !errors.Is(err, ErrChannelBinding) {
				t.Error(err)
			}
			a, err1 := c.ExportKeyingMaterial("EXPORTER-test", []byte("x"), 48)
			b, err2 := s.ExportKeyingMaterial("EXPORTER-test", []byte("x"), 48)
			if err1 != nil || err2 != nil || len(a) != 48 || !bytes.Equal(a, b) {
				t.Errorf("%v, %v", err1, err2)
			}
			if _, _, err := p.client.FinishedMessages(); !errors.Is(err, ErrFinished) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "ChannelBinding") {
				t.Error(err)
			}
		}
	}
	if _, err := new(State).ChannelBinding(BindingExporter); !errors.Is(err, ErrChannelBinding) {
		t.Error(err)
	}
	for a, want := range map[x509.SignatureAlgorithm]string{x509.SHA1WithRSA: "SHA-256", x509.ECDSAWithSHA384: "SHA-384", x509.SHA512WithRSAPSS: "SHA-512"} {
		if got := endPointHash(a); got.String() != want {
			t.Errorf("%v: %v", a, got)
		}
	}
	if endPointHash(x509.PureEd25519) != 0 {
		t.Error("Ed25519 has a hash")
	}
}

// TestCipherNames compares with OpenSSL's own table.
func TestCipherNames(t *testing.T) {
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		info, ok := CipherByID(c.ID)
		if !ok || !strings.HasPrefix(c.Name, "TLS_") || info.StandardName != c.Name {
			t.Errorf("%s: %+v", c.Name, info)
		}
		if slices.Contains(c.SupportedVersions, tls.VersionTLS13) != (info.Version == TLSv13) {
			t.Errorf("%s: %s", c.Name, info.Version)
		}
	}
	out, err := exec.Command(openssl(t), "ciphers", "-v", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.SplitSeq(string(out), "\n") {
		f := strings.Fields(line) // TLS_... - NAME VERSION Kx= Au= Enc= Mac=
		if len(f) < 4 {
			continue
		}
		c, ok := CipherByName(f[0])
		if !ok {
			continue
		}
		compared++
		if c.Name != f[2] || c.Version != strings.Replace(f[3], "TLSv1 ", "TLSv1.0", 1) && !(f[3] == "TLSv1" && c.Version == "TLSv1.0") {
			t.Errorf("%+v, OpenSSL has %q", c, f[:4])
		}
	}
	if compared < 15 {
		t.Errorf("%d compared", compared)
	}
}

// nodeScript runs a script on Node and returns the parsed JSON of its last line. Each
// line is passed to heard, if that isn't nil, as soon as it is there.
func nodeScript(t *testing.T, heard func(line string), script string, args ...string) map[string]any {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; apt-get install nodejs")
	}
	cmd := exec.CommandContext(timeout(t), node, append([]string{"-e", script, "--"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = append(last[:0], lines.Bytes()...)
		if heard != nil {
			heard(lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var v map[string]any
	if err := json.Unmarshal(last, &v); err != nil {
		t.Fatalf("node printed %q", last)
	}
	return v
}

// TestStateAgainstNode compares with what Node says about the same connection.
//
//conform:bun getSharedSigalgs differs tlsio.State.SharedSignatureAlgorithms, tlsio.ErrSharedSignatureAlgorithms -- servers only: crypto/tls doesn't tell clients
func TestStateAgainstNode(t *testing.T) {
	w := pki(t)
	ca := writePEM(t, "CERTIFICATE", w.caDER)
	for _, v := range bothVersions {
		server := serverContext(t, only(v))
		ln, err := net.Listen("tcp", "127.0.0.1:0") // Node is outside of any other network
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		states := make(chan State, 1)
		go func() {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			c, err := server.Secure(timeout(t), raw, SecureOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			states <- c.State()
			c.Read(make([]byte, 1))
			c.Close()
		}()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		got := nodeScript(t, nil, `
			const tls = require('tls'), fs = require('fs');
			const s = tls.connect({host: '127.0.0.1', port: +process.argv[1], servername: 'server.test', ca: fs.readFileSync(process.argv[2])}, () => {
				console.log(JSON.stringify({cipher: s.getCipher(), key: s.getEphemeralKeyInfo(), protocol: s.getProtocol(), authorized: s.authorized,
					ekm: s.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)).toString('hex')}));
				s.end();
			});`, port, ca)
		s := <-states
		c := s.Cipher()
		if want := map[string]any{"name": c.Name, "standardName": c.StandardName, "version": c.Version}; fmt.Sprint(got["cipher"]) != fmt.Sprint(want) {
			t.Errorf("cipher %v, Node has %v", want, got["cipher"])
		}
		binding, err := s.ChannelBinding(BindingExporter)
		if err != nil || fmt.Sprintf("%x", binding) != got["ekm"] {
			t.Errorf("binding %x, %v; Node has %v", binding, err, got["ekm"])
		}
		if got["protocol"] != s.VersionName() {
			t.Errorf("%q, Node has %v", s.VersionName(), got["protocol"])
		}
		s.Server = false // as the client would see it
		if k := s.EphemeralKey(); fmt.Sprint(got["key"]) != fmt.Sprint(map[string]any{"name": k.Name, "size": k.Size, "type": k.Type}) {
			t.Errorf("key %+v, Node has %v", k, got["key"])
		}
	}

	// The other way round, Node's server tells what it shares with our client: the
	// same as ours does with the same offer, in the same spelling.
	cert, key := writePEM(t, "CERTIFICATE", w.server.cert), writePEM(t, "PRIVATE KEY", w.server.key)
	var wg sync.WaitGroup
	defer wg.Wait()
	dial := func(port string) {
		c, err := Dial(timeout(t), HostNetwork{}, "127.0.0.1:"+port, clientOptions(t))
		if err != nil {
			t.Error(err)
			return
		}
		s := c.(*Conn).State()
		if _, err := s.SharedSignatureAlgorithms(); !errors.Is(err, ErrSharedSignatureAlgorithms) {
			t.Errorf("a client's: %v", err)
		}
		c.Read(make([]byte, 1))
		c.Close()
	}
	got := nodeScript(t, func(line string) {
		if port, ok := strings.CutPrefix(line, "port "); ok {
			wg.Go(func() { dial(port) })
		}
	}, `
		const tls = require('tls'), fs = require('fs');
		const server = tls.createServer({cert: fs.readFileSync(process.argv[1]), key: fs.readFileSync(process.argv[2])}, s => {
			console.log(JSON.stringify({sigalgs: s.getSharedSigalgs()}));
			s.end(); server.close();
		}).listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));`, cert, key)
	p := connect(t, serverContext(t, nil), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
	ours, err := func() ([]string, error) { s := p.server.State(); return s.SharedSignatureAlgorithms() }()
	var nodes []string
	for _, n := range got["sigalgs"].([]any) {
		if !strings.Contains(n.(string), "SHA1") { // we accept none
			nodes = append(nodes, n.(string))
		}
	}
	slices.Sort(ours) // Node puts its own favourites first
	slices.Sort(nodes)
	if err != nil || !slices.Equal(ours, nodes) {
		t.Errorf("%q, %v; Node has %q", ours, err, nodes)
	}
}

// TestMaxSendFragment: the limit can change between writes.
//
//conform:bun setMaxSendFragment differs tlsio.Conn.SetMaxSendFragment -- an error in place of false; 512 at least, as OpenSSL
func TestMaxSendFragment(t *testing.T) {
	p := connect(t, serverContext(t, nil), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
	for _, n := range []int{0, -1, 511, 16385} {
		wantOption(t, p.client.SetMaxSendFragment(n), "bytes")
	}
	seen := &recordSizes{}
	p.client.wire.tap = seen
	for _, n := range []int{512, 16384, 1000} {
		if err := p.client.SetMaxSendFragment(n); err != nil {
			t.Fatal(err)
		}
		seen.mu.Lock()
		seen.largest = 0
		seen.mu.Unlock()
		data := pattern(60_000)
		written := make(chan error, 1)
		go func() { written <- second(p.client.Write(data)) }()
		if got := readAll(t, p.server, len(data)); !bytes.Equal(got, data) {
			t.Error("other bytes arrived")
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		seen.mu.Lock()
		if payload := seen.largest - 17; payload > n || payload < min(n, 1000) { // the tag and the content type
			t.Errorf("limit %d: a record with %d", n, payload)
		}
		seen.mu.Unlock()
	}
}

// recordSizes is a Tap that notes the largest record sent.
type recordSizes struct {
	mu      sync.Mutex
	rest    []byte
	largest int
}

func (r *recordSizes) Sent(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, p...)
	for len(r.rest) >= 5 {
		n := int(r.rest[3])<<8 | int(r.rest[4])
		if len(r.rest) < 5+n {
			return
		}
		r.largest = max(r.largest, n)
		r.rest = r.rest[5+n:]
	}
}
func (*recordSizes) Received([]byte) {}
func (*recordSizes) Secret([]byte)   {}
func (*recordSizes) Closed(error)    {}

// TestRenegotiation: never begun here. What peers hear who begin one is in
// TestBunRenegotiate and in interop.
//
//conform:bun renegotiate refused tlsio.ErrRenegotiation -- crypto/tls can't begin one; TLS 1.3 has none
//conform:bun disableRenegotiation works tlsio.Conn.DisableRenegotiation
func TestRenegotiation(t *testing.T) {
	p := connect(t, serverContext(t, nil), clientContext(t, only(TLSv12)), SecureOptions{}, SecureOptions{}).ok(t)
	for _, c := range []*Conn{p.server, p.client} {
		if err := c.Renegotiate(); !errors.Is(err, ErrRenegotiation) || !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		c.DisableRenegotiation()
	}
}

// tapped is a Tap that keeps what it is told.
type tapped struct {
	mu             sync.Mutex
	sent, received []byte
	secrets        string
	closed         []error
}

func (t *tapped) Sent(p []byte) { t.mu.Lock(); defer t.mu.Unlock(); t.sent = append(t.sent, p...) }
func (t *tapped) Received(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received = append(t.received, p...)
}
func (t *tapped) Secret(p []byte) { t.mu.Lock(); defer t.mu.Unlock(); t.secrets += string(p) }
func (t *tapped) Closed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = append(t.closed, err)
}

// TestTapAndKeyLog: each side's tap has what the other's has, the secrets are the key
// log's, and the end comes once.
//
//conform:ipworks config.SSLKeyLogFile differs tlsio.TLSOptions.KeyLog -- any io.Writer: there may be no files
func TestTapAndKeyLog(t *testing.T) {
	for _, v := range bothVersions {
		taps := map[bool]*tapped{false: {}, true: {}}
		logs := map[bool]*bytes.Buffer{false: {}, true: {}}
		hook := func(side bool) func(*TLSOptions) {
			return func(o *TLSOptions) {
				o.KeyLog = logs[side]
				o.Tap = func(local, remote net.Addr, server bool) Tap {
					if server != side || local == nil || remote == nil {
						t.Errorf("tap of %v, %v, %v", local, remote, server)
					}
					return taps[side]
				}
			}
		}
		p := connect(t, serverContext(t, with(only(v), hook(true))), clientContext(t, hook(false)), SecureOptions{}, SecureOptions{}).ok(t)
		p.client.Close()
		p.server.Read(make([]byte, 1))
		p.server.Close()
		s, c := taps[true], taps[false]
		if !bytes.HasPrefix(c.sent, []byte{22, 3, 1}) || !bytes.HasPrefix(c.sent, s.received) || len(s.received) < 200 || !bytes.HasPrefix(s.sent, c.received) {
			t.Errorf("%s: sent %d and %d, received %d and %d", v, len(c.sent), len(s.sent), len(c.received), len(s.received))
		}
		label := map[string]string{TLSv12: "CLIENT_RANDOM ", TLSv13: "CLIENT_TRAFFIC_SECRET_0 "}[v]
		if !strings.Contains(s.secrets, label) || s.secrets != logs[true].String() || c.secrets != logs[false].String() {
			t.Errorf("%s: secrets %q, log %q", v, s.secrets, logs[true])
		}
		if sorted(s.secrets) != sorted(c.secrets) {
			t.Error("the sides have different secrets")
		}
		if len(s.closed) != 1 || len(c.closed) != 1 || s.closed[0] != nil || c.closed[0] != nil {
			t.Errorf("closed %v, %v", s.closed, c.closed)
		}
		// A handshake that fails ends its tap, with the reason.
		failed := &tapped{}
		client := clientContext(t, func(o *TLSOptions) {
			o.CA = [][]byte{pki(t).otherDER}
			o.Tap = func(net.Addr, net.Addr, bool) Tap { return failed }
		})
		bad := connect(t, serverContext(t, nil), client, SecureOptions{}, SecureOptions{})
		if len(failed.closed) != 1 || failed.closed[0] != bad.clientErr || bad.clientErr == nil {
			t.Errorf("closed %v after %v", failed.closed, bad.clientErr)
		}
	}
	// A connection that nobody accepted, and one that is terminated.
	waiting, cut := &tapped{}, &tapped{}
	o := serverOptions(t)
	o.Tap = func(net.Addr, net.Addr, bool) Tap { return waiting }
	ln := listen(t, o)
	co := clientOptions(t)
	co.Tap = func(net.Addr, net.Addr, bool) Tap { return cut }
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	c.(*Conn).Terminate()
	for _, tap := range []*tapped{waiting, cut} {
		wait(t, "the end of a tap", func() bool { tap.mu.Lock(); defer tap.mu.Unlock(); return len(tap.closed) == 1 })
	}
	// Nothing is tapped when the function says so.
	p := connect(t, serverContext(t, func(o *TLSOptions) { o.Tap = func(net.Addr, net.Addr, bool) Tap { return nil } }), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
	if p.server.wire.tap != nil {
		t.Error("a nil Tap is there")
	}
}

func sorted(lines string) string {
	l := strings.Split(lines, "\n")
	slices.Sort(l)
	return strings.Join(l, "\n")
}

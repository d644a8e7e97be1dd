package status

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
	"ingot.dev/tlsio"
)

// serve runs an echo and a status service. It returns a client with a certificate, the
// URL of the status and the address of the echo.
func serve(t *testing.T) (r *servicetest.Rig, client *http.Client, url, echo string) {
	t.Helper()
	r = servicetest.New(t)
	operators := certstest.NewCA(t, certstest.Template{})
	r.Tree.AddAnchor("operators", operators)
	e, err := endpoint.Echo(endpoint.Options{Name: `e"cho`, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	echo, _ = r.Serve(t, e)
	s, err := New(Options{endpoint.Options{Listen: "127.0.0.1:0", ClientGroup: "operators"}})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, s)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost",
		Certificates: []tls.Certificate{operators.Issue(certstest.Template{Client: true}).TLS()}}}
	t.Cleanup(transport.CloseIdleConnections)
	return r, &http.Client{Transport: transport, Timeout: servicetest.Patience}, "https://" + addr, echo
}

func get(t *testing.T, client *http.Client, url string) (http.Header, []byte) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
	}
	return resp.Header, body
}

// TestStatus: the numbers are those of what happened.
func TestStatus(t *testing.T) {
	r, client, url, echo := serve(t)
	c, err := tls.Dial("tcp", echo, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hello")
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	nonsense, err := net.Dial("tcp", echo)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(nonsense, "GET / HTTP/1.0\r\n\r\n")
	io.Copy(io.Discard, nonsense)
	nonsense.Close()
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Handshake].Load() == 1 && c.Open.Load() == 1 })

	_, body := get(t, client, url+"/status.json")
	var s Status
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 2 || s.Uptime <= 0 || s.Memory.Heap == 0 || s.Memory.Goroutines == 0 || s.Go == "" || s.Time.IsZero() ||
		s.TimeSource != "operating system" || s.EntropySource != "operating system" {
		t.Fatalf("%s", body)
	}
	e := s.Services[0]
	if e.Name != `e"cho` || e.Kind != "echo" || e.Open != 1 || e.Accepted != 2 || e.Handshakes != 1 || e.Resumed != 0 ||
		e.Received < 500 || e.Sent < 500 || len(e.Errors) != 1 || e.Errors["handshake"] != 1 {
		t.Errorf("%+v", e)
	}
	if s.Services[1].Kind != "status" || s.Services[1].Messages != 1 {
		t.Errorf("%+v", s.Services[1])
	}
}

// sample is a line of Prometheus' text format.
var sample = regexp.MustCompile(`^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\[\\"n])*",?)*\})? -?[0-9.e+-]+$`)

func TestMetrics(t *testing.T) {
	_, client, url, _ := serve(t)
	header, body := get(t, client, url+"/metrics")
	if header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("%v", header)
	}
	typed, seen := map[string]string{}, map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(string(body)))
	for lines.Scan() {
		line := lines.Text()
		if f := strings.Fields(line); f[0] == "#" {
			if f[1] == "TYPE" {
				if typed[f[2]] != "" {
					t.Errorf("%s has two types", f[2])
				}
				typed[f[2]] = f[3]
			}
			continue
		}
		if !sample.MatchString(line) {
			t.Errorf("%q", line)
			continue
		}
		key, _, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(key, "{")
		if typed[name] == "" || (typed[name] == "counter") != strings.HasSuffix(name, "_total") || seen[key] {
			t.Errorf("%q: type %q, seen %v", line, typed[name], seen[key])
		}
		seen[key] = true
	}
	for _, want := range []string{"ingot_connections_total{service=\"e\\\"cho\",kind=\"echo\"}", "ingot_uptime_seconds", "ingot_handshakes_total{service=\"status\",kind=\"status\"}"} {
		if !seen[want] {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestEscapedLabels(t *testing.T) {
	s := Status{Board: "a\\b\"c\nd\xff"}
	if line := strings.Split(s.Metrics(), "\n")[2]; !strings.HasPrefix(line, `ingot_info{board="a\\b\"c\nd`+"\ufffd"+`",go=""`) {
		t.Errorf("%q", line)
	}
}

// TestPage: all of it is here, it is small, and its policy allows it nothing else.
func TestPage(t *testing.T) {
	_, client, url, _ := serve(t)
	total := 0
	for path, kind := range map[string]string{"/": "text/html", "/status.css": "text/css", "/status.js": "text/javascript"} {
		header, body := get(t, client, url+path)
		total += len(body)
		if !strings.HasPrefix(header.Get("Content-Type"), kind) || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, header)
		}
		csp := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: %s", path, csp)
		}
		if elsewhere := regexp.MustCompile(`(src|href|url|import|fetch)[=(]\s*["']?(https?:)?//`).Find(body); elsewhere != nil {
			t.Errorf("%s loads from elsewhere: %s", path, elsewhere)
		}
	}
	if total > 60<<10 || total < 5<<10 {
		t.Errorf("the page has %d bytes", total)
	}
	files, err := fs.Glob(page, "page/*")
	if err != nil || len(files) != 3 {
		t.Errorf("embedded are %q, %v: is one of them not served?", files, err)
	}
	for _, path := range []string{"/page/status.js", "/../status.json", "/debug/pprof/", "/index.html"} {
		resp, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if path != "/../status.json" && resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// TestOperatorsOnly: nobody without a certificate of the group sees anything.
func TestOperatorsOnly(t *testing.T) {
	r, _, url, _ := serve(t)
	for _, certs := range [][]tls.Certificate{nil, {r.CA.Issue(certstest.Template{Client: true}).TLS()}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost", Certificates: certs}}
		defer transport.CloseIdleConnections()
		if resp, err := (&http.Client{Transport: transport}).Get(url + "/status.json"); err == nil {
			t.Errorf("%d certificates: status %d", len(certs), resp.StatusCode)
		}
	}
}

func TestOptions(t *testing.T) {
	_, err := New(Options{endpoint.Options{ClientAuth: tlsio.ClientAuthRequest, ALPN: []string{"h3"}}})
	servicetest.Wants(t, err, "Listen", "ClientAuth", "ALPN")
}

func TestField(t *testing.T) {
	text := "MemTotal:       500000 kB\nMemFree:  x\nidle_ns 18446744073709551615\nidle\n"
	for name, want := range map[string]uint64{"MemTotal:": 500000, "MemFree:": 0, "idle_ns": 1<<64 - 1, "none": 0} {
		if got := field(text, name); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

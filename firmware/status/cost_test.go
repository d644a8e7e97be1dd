package status

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/internal/simnet"
)

// TestRefreshCost: one refresh per second takes less than 1 % of a processor that
// executes an instruction per nanosecond. It runs where the clock counts instructions
// (qemu/suites), with the client beside the service: both together stay below.
func TestRefreshCost(t *testing.T) {
	if os.Getenv("INGOT_STATUS_COST") == "" {
		t.Skip("needs a clock that counts instructions")
	}
	n, err := simnet.Loopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	r := servicetest.New(t)
	r.Net = n
	for range 5 { // services to tell of
		e, err := endpoint.Echo(endpoint.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		r.Serve(t, e)
	}
	s, err := New(Options{endpoint.Options{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, s)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return n.DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost",
			Certificates: []tls.Certificate{r.CA.Issue(certstest.Template{Client: true}).TLS()}},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	refresh := func() {
		resp, err := client.Get("https://" + addr + "/status.json")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	refresh() // the handshake is once for all
	const times = 50
	before := readBusy()
	for range times {
		refresh()
	}
	cost := time.Duration((readBusy() - before) / times * 1e9)
	t.Logf("a refresh takes %v of the processor, which is %.2f %% once per second", cost, cost.Seconds()*100)
	if cost <= 0 || cost > 10*time.Millisecond {
		t.Errorf("a refresh takes %v, want 10 ms at most", cost)
	}
}

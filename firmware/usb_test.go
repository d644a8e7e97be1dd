package firmware_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/board/driver/ecm"
	"ingot.dev/board/driver/usbdev/usbmodel"
	"ingot.dev/certs/certstest"
	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/relay"
	"ingot.dev/firmware/static"
	"ingot.dev/firmware/status"
	"ingot.dev/internal/testenv"
	"ingot.dev/net/netstack"
)

// overUSB opens a network on the driver for Ethernet over USB, with a model of the
// controller and of a host that has set the device up.
func overUSB(t *testing.T, last byte) (*netstack.Stack, *usbmodel.Model) {
	t.Helper()
	m := usbmodel.New(usbmodel.Options{Report: func(s string) { t.Errorf("the model says: %s", s) }})
	d, err := ecm.New(m, ecm.Options{HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, last}, Vendor: 0x1209, Product: 1,
		Manufacturer: "Ingot", Name: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Enumerate(true); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Control(usbmodel.Setup(1, 11, 1, 1, 0), nil); err != nil { // the setting with a network
		t.Fatal(err)
	}
	s, err := netstack.Open(t.Context(), d, netstack.Config{
		Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 24), NoIPv6: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, m
}

// TestServicesOverUSB: what the services of a firmware do, they do over USB.
func TestServicesOverUSB(t *testing.T) {
	testenv.NeedHost(t)
	board, boardUSB := overUSB(t, 1)
	peer, peerUSB := overUSB(t, 2)
	carry := func(from, to *usbmodel.Model) { // as a host with a bridge does
		for {
			frame, err := from.In(1, 512)
			if err != nil || to.Out(1, 512, frame) != nil {
				return
			}
		}
	}
	go carry(boardUSB, peerUSB)
	go carry(peerUSB, boardUSB)

	r := servicetest.New(t)
	r.Net = board
	serve := func(service firmware.Service, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r.Serve(t, service)
	}
	serve(endpoint.Echo(endpoint.Options{Listen: ":8443"}))
	serve(static.New(static.Options{Options: endpoint.Options{Listen: ":443"}, Files: fstest.MapFS{"index.html": {Data: []byte("<p>by USB")}}}))
	serve(status.New(status.Options{Options: endpoint.Options{Listen: ":9443"}}))
	serve(relay.Terminate(relay.TerminateOptions{Options: endpoint.Options{Listen: ":8883"}, To: "10.0.0.2:1883"}))

	behind, err := peer.Listen(t.Context(), "tcp", ":1883")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	go func() {
		for {
			c, err := behind.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				firmware.Echo(t.Context(), c)
			}()
		}
	}()

	config := &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost",
		Certificates: []tls.Certificate{r.CA.Issue(certstest.Template{Client: true}).TLS()}}
	want := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for _, address := range []string{"10.0.0.1:8443", "10.0.0.1:8883"} {
		raw, err := peer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(raw, config)
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		go func() {
			c.Write(want)
			c.CloseWrite()
		}()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d came back, or others: %v", address, len(got), len(want), err)
		}
		c.Close()
	}

	transport := &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return peer.DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	get := func(url string) []byte {
		t.Helper()
		resp, err := (&http.Client{Transport: transport, Timeout: servicetest.Patience}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
		}
		return body
	}
	if page := get("https://10.0.0.1/"); string(page) != "<p>by USB" {
		t.Errorf("the page is %q", page)
	}
	var s status.Status
	if err := json.Unmarshal(get("https://10.0.0.1:9443/status.json"), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 4 || !strings.Contains(strings.Join(s.Addresses, " "), "10.0.0.1/24") {
		t.Errorf("%+v", s)
	}
}

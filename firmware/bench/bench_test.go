package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// serve runs a service at one end of a TCP connection and returns the other.
func serve(t *testing.T, service func(context.Context, net.Conn)) *net.TCPConn {
	t.Helper()
	testenv.NeedHost(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		service(t.Context(), c)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() {
		c.Close()
		l.Close()
		<-done
	})
	return c.(*net.TCPConn)
}

func TestSink(t *testing.T) {
	for _, n := range []int{0, 1, chunk - 1, chunk, 3*chunk + 17} {
		c := serve(t, Sink)
		go func() {
			c.Write(make([]byte, n))
			c.CloseWrite()
		}()
		answer, err := io.ReadAll(c)
		if err != nil || len(answer) != 8 || binary.BigEndian.Uint64(answer) != uint64(n) {
			t.Errorf("%d bytes: answer % x, %v", n, answer, err)
		}
	}
}

func TestSource(t *testing.T) {
	for _, n := range []uint64{0, 1, chunk - 1, chunk, 3*chunk + 17} {
		c := serve(t, Source)
		c.Write(binary.BigEndian.AppendUint64(nil, n))
		data, err := io.ReadAll(c)
		if err != nil || uint64(len(data)) != n {
			t.Errorf("asked for %d bytes, got %d, %v", n, len(data), err)
		}
	}
}

func TestEcho(t *testing.T) {
	c := serve(t, Echo)
	sent := bytes.Repeat([]byte("ingot"), 2000)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

func TestControl(t *testing.T) {
	c := serve(t, Control)
	in := bufio.NewReader(c)
	for _, tt := range []struct {
		request string
		good    func(Answer) bool
	}{
		{`{"op":"status"}`, func(a Answer) bool {
			return a.Error == "" && a.Status != nil && a.Status.HeapInuse > 0 && a.Status.StackInuse > 0 && a.Status.Goroutines > 1
		}},
		{`{"op":"gc"}`, func(a Answer) bool { return a.Status != nil && a.Status.GCs > 0 }},
		{`{"op":"counters"}`, func(a Answer) bool { return a.Error == "" && a.Status == nil }},
		{`{"op":"rate","name":"sha256"}`, func(a Answer) bool {
			return a.Rate != nil && a.Rate.Ops >= 2 && a.Rate.Bytes == record && a.Rate.Time > 0
		}},
		{`{"op":"set","name":"GOGC","value":100}`, func(a Answer) bool { return a.Error == "" && a.Old != 0 }},
		{`{"op":"rate","name":"md5"}`, func(a Answer) bool { return strings.Contains(a.Error, "md5") && a.Rate == nil }},
		{`{"op":"rate","name":"sha256","ms":-1}`, func(a Answer) bool { return a.Error != "" }},
		{`{"op":"rate","name":"sha256","ms":86400000}`, func(a Answer) bool { return a.Error != "" }},
		{`{"op":"set","name":"PATH","value":1}`, func(a Answer) bool { return strings.Contains(a.Error, "PATH") }},
		{`{"op":"profile","value":0}`, func(a Answer) bool { return strings.Contains(a.Error, "no profile") }},
		{`{"op":"profile","value":-1}`, func(a Answer) bool { return strings.Contains(a.Error, "-1 samples") }},
		{`{"op":"profile","value":1000000}`, func(a Answer) bool { return strings.Contains(a.Error, "1000000 samples") }},
		{`{"op":"profile","value":100}`, func(a Answer) bool { return a.Error == "" }},
		{`{"op":"profile","value":100}`, func(a Answer) bool { return strings.Contains(a.Error, "already") }},
		{`{"op":"profile","value":0}`, func(a Answer) bool { return a.Error == "" && bytes.HasPrefix(a.Profile, []byte{0x1f, 0x8b}) }},
		{`{"op":"profile","value":0}`, func(a Answer) bool { return a.Error != "" && a.Profile == nil }},
		{`{"op":"halt"}`, func(a Answer) bool { return strings.Contains(a.Error, "halt") }},
		{`what?`, func(a Answer) bool { return a.Error != "" }},
		{``, func(a Answer) bool { return a.Error != "" }},
	} {
		if _, err := io.WriteString(c, tt.request+"\n"); err != nil {
			t.Fatal(err)
		}
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: %v", tt.request, err)
		}
		var a Answer
		if err := json.Unmarshal(line, &a); err != nil || !tt.good(a) {
			t.Errorf("%s: %s", tt.request, line)
		}
	}
}

func TestControlEndsAtLongRequest(t *testing.T) {
	c := serve(t, Control)
	go c.Write(bytes.Repeat([]byte("x"), maxRequest+1))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a request without end was answered")
	}
}

func TestMeasure(t *testing.T) {
	for _, name := range Primitives() {
		r, err := Measure(t.Context(), name, 0)
		if err != nil || r.Name != name || r.Ops < 2 || r.PerOp() <= 0 || r.Bytes > 0 && r.PerByte() <= 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, "sha256", time.Hour); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

func TestParseFields(t *testing.T) {
	got := parseFields("MemTotal:       500000 kB\nMemFree:  4 kB\nsyscalls 17\nidle_ns 18446744073709551615\n\nodd\nname text\nneg -1\n")
	want := map[string]uint64{"MemTotal": 500000, "MemFree": 4, "syscalls": 17, "idle_ns": 1<<64 - 1}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %d, want %d", k, got[k], v)
		}
	}
}

// Handshakes in memory are of the kind that their names say, and fail where they should.
func TestShakes(t *testing.T) {
	newKey := func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
	client, server, err := configs(newKey, tls.CurveP256)
	if err != nil {
		t.Fatal(err)
	}
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 3 {
		state, err := handshake(client, server)
		if err != nil || state.CurveID != tls.CurveP256 || state.DidResume != (i > 0) || len(state.VerifiedChains) == 0 {
			t.Errorf("handshake %d: %v, resumed %v, %v", i, state.CurveID, state.DidResume, err)
		}
	}
	client.ServerName = "other.test"
	if _, err := handshake(client, server); err == nil {
		t.Error("a server of another name was accepted")
	}
}

// What is in use is told with who has allocated it.
func TestLive(t *testing.T) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	kept := make([][]byte, 100)
	for i := range kept {
		kept[i] = make([]byte, 1000)
	}
	runtime.MemProfileRate = rate
	c := serve(t, Control)
	io.WriteString(c, `{"op":"live"}`+"\n")
	line, err := bufio.NewReader(c).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	// Of what the test has allocated before and since, some may be in the samples.
	if !slices.ContainsFunc(a.Live, func(l Live) bool {
		return strings.Contains(l.Stack, "bench.TestLive") && l.Objects >= 100 && l.Bytes >= 100_000
	}) {
		t.Errorf("100 pieces of 1000 bytes aren't among %+v", a.Live)
	}
	runtime.KeepAlive(kept)
}

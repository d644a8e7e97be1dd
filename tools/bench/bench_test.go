package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	ms := func(values ...int) (d []time.Duration) {
		for _, v := range values {
			d = append(d, time.Duration(v)*time.Millisecond)
		}
		return d
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, tt := range []struct {
		values []time.Duration
		p      float64
		want   int
	}{
		{nil, 50, 0},
		{ms(7), 1, 7}, {ms(7), 50, 7}, {ms(7), 100, 7},
		{ms(3, 1, 2), 50, 2},
		{ms(4, 3, 2, 1), 50, 2}, // nearest rank, not an average
		{ms(4, 3, 2, 1), 51, 3},
		{ms(1, 1000), 99, 1000},
		{ms(hundred...), 50, 50}, {ms(hundred...), 99, 99}, {ms(hundred...), 100, 100}, {ms(hundred...), 0, 1},
	} {
		if got := percentile(tt.values, tt.p); got != time.Duration(tt.want)*time.Millisecond {
			t.Errorf("percentile(%v, %v) = %v, want %d ms", tt.values, tt.p, got, tt.want)
		}
	}
	values := ms(3, 1, 2)
	median(values)
	if values[0] != 3*time.Millisecond {
		t.Error("median sorted its argument")
	}
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{
		{0, "0"}, {0.0049, "0.005"}, {0.12, "0.12"}, {5.234, "5.23"}, {61.66, "61.7"}, {999, "999"},
		{1000, "1,000"}, {14490000, "14,490,000"}, {123456, "123,456"}, {-1234, "-1,234"}, {-123, "-123"}, {-1.5, "-1.50"},
	} {
		if got := number(tt.v); got != tt.want {
			t.Errorf("number(%v) = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestSpeeds(t *testing.T) {
	if v := mbPerSecond(30e6, 2*time.Second); v != 15 {
		t.Errorf("30 MB in 2 s: %v MB/s", v)
	}
	if v := perSecond(50, 2*time.Second); v != 25 {
		t.Errorf("50 in 2 s: %v/s", v)
	}
}

func TestHandshakeLimit(t *testing.T) {
	r := run{result: new(Result)}
	if v := r.limit(true); v != 0 {
		t.Errorf("without rates: %v", v)
	}
	r.result.add("rate.x25519-keygen", "", 200, "/s", "")
	r.result.add("rate.x25519-ecdh", "", 200, "/s", "")
	r.result.add("rate.p256-sign", "", 100, "/s", "")
	if v := r.limit(false); math.Abs(v-50) > 1e-9 {
		t.Errorf("X25519: %v, want 50", v)
	}
	r.result.add("rate.mlkem768-encaps", "", 50, "/s", "")
	if v := r.limit(true); math.Abs(v-25) > 1e-9 {
		t.Errorf("hybrid: %v, want 25", v)
	}
}

func sample() *Result {
	r := &Result{Board: "board", Go: "go1.26.8", QEMU: "QEMU 7.2"}
	r.section("Handshakes")
	r.add("handshake.default", "full", 30, "/s", "noted")
	r.add("idle.cpu", "idle", 0.5, "%", "")
	r.section("Counts")
	r.add("count.handshake", "a handshake", 14_000_000, unitInstructions, "")
	r.add("count.tls.in", "TLS in", 66.5, unitInstructionsPerByte, "")
	return r
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"board, go1.26.8, QEMU 7.2\n", "TamaGo*", "Handshakes", "Counts",
		"14,000,000  instructions", "14,490,000", "25.0", "noted", "another machine",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, &b)
		}
	}
	if n := strings.Count(b.String(), "Counts"); n != 1 {
		t.Errorf("the heading of a group appears %d times:\n%s", n, &b)
	}
	for line := range strings.Lines(b.String()) {
		if strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("trailing spaces: %q", line)
		}
	}
}

// What an image with portable cryptography takes stands beside, if it was measured.
func TestPortableColumn(t *testing.T) {
	r := sample()
	var before, after bytes.Buffer
	if err := r.WriteTable(&before); err != nil || strings.Contains(before.String(), "portable") {
		t.Errorf("%v, with something portable:\n%s", err, &before)
	}
	r.Metrics[3].Portable = 98.25
	if err := r.WriteTable(&after); err != nil {
		t.Fatal(err)
	}
	if ok, _ := regexp.MatchString(`(?s)measured +portable +at most +TamaGo.*TLS in +66.5 +instructions/byte +98.2 +95.8\n(.*\n)?portable: an image`, after.String()); !ok {
		t.Errorf("not beside:\n%s", &after)
	}
	if _, err := Run(t.Context(), Options{Parts: []string{PartPortable}}); !errors.Is(err, errBeside) {
		t.Errorf("beside nothing: %v", err)
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "result.json")
	var text bytes.Buffer
	if err := errors.Join(sample().WriteJSON(&text), os.WriteFile(file, text.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	r, err := ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Metrics) != 4 || r.Go != "go1.26.8" {
		t.Errorf("%+v", r)
	}
	if m, ok := r.Metric("count.tls.in"); !ok || m.Value != 66.5 || m.Reference != 95.8 {
		t.Errorf("%+v", m)
	}
	if err := os.WriteFile(file, []byte("no JSON"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(file); err == nil || !strings.Contains(err.Error(), "result.json") {
		t.Errorf("%v", err)
	}
}

func TestCompare(t *testing.T) {
	with := func(id string, factor float64) *Result {
		r := sample()
		for i := range r.Metrics {
			if r.Metrics[i].ID == id {
				r.Metrics[i].Value *= factor
			}
		}
		return r
	}
	without := sample()
	without.Metrics = without.Metrics[:3]
	for _, tt := range []struct {
		name   string
		result *Result
		want   string // part of the error
	}{
		{"same", sample(), ""},
		{"within", with("count.handshake", 1.019), ""},
		{"slower", with("count.handshake", 1.03), "a handshake: 14,420,000, baseline 14,000,000 (+3.0 %)"},
		{"faster", with("count.tls.in", 0.9), "TLS in"},
		{"times don't count", with("handshake.default", 0.1), ""},
		{"missing", without, "TLS in: was not measured"},
	} {
		err := Compare(tt.result, sample())
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (!errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := Compare(sample(), new(Result)); err == nil {
		t.Error("an empty baseline was accepted")
	}
}

func TestOptions(t *testing.T) {
	if _, err := Run(t.Context(), Options{Board: "toaster"}); err == nil || !strings.Contains(err.Error(), "toaster") {
		t.Errorf("unknown board: %v", err)
	}
	if _, err := Run(t.Context(), Options{Parts: []string{"lunch"}}); err == nil || !strings.Contains(err.Error(), "lunch") {
		t.Errorf("unknown part: %v", err)
	}
	if _, err := clientConfig(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "make certs") {
		t.Errorf("no certificates: %v", err)
	}
}

func TestConsoleLines(t *testing.T) {
	const console = "\r\ntime=x level=INFO msg=\"ingot on imx6ulevk\"\r\n" +
		"time=x level=INFO msg=\"address 10.0.2.15/24 gateway 10.0.2.2\"\n" +
		"time=x level=INFO msg=\"ready: TLS echo on 10.0.2.15:8443\"\n"
	if !firstLine.MatchString(console) || !addressLine.MatchString(console) || !readyLine.MatchString(console) {
		t.Error("a line is not recognised")
	}
	if firstLine.MatchString("\r\n  half a li") || addressLine.MatchString(`msg="address fe80::1"`) {
		t.Error("what is no line is recognised")
	}
}

// fake is a firmware that breaks in a way of the test's choice.
func fake(t *testing.T, serve func(net.Conn)) *target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return &target{
		dial: func(ctx context.Context, _ int) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", l.Addr().String())
		},
		tls: &tls.Config{ServerName: "localhost"},
	}
}

// A measurement must not report a number for what did not happen.
func TestBrokenFirmware(t *testing.T) {
	gone := fake(t, func(net.Conn) {})
	liar := fake(t, func(c net.Conn) {
		buf := make([]byte, 8)
		c.Read(buf)
		c.Write([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0xff}) // a wrong count, too many bytes, a wrong echo
		c.(*net.TCPConn).CloseWrite()
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	})
	for name, f := range map[string]*target{"gone": gone, "liar": liar} {
		for what, do := range map[string]func() error{
			"send": func() error {
				return f.on(t.Context(), sinkService, false, func(c halfCloser) error { return sendAll(c, 100) })
			},
			"receive": func() error {
				return f.on(t.Context(), sourceService, false, func(c halfCloser) error { return receiveAll(c, 100) })
			},
			"echo": func() error {
				return f.on(t.Context(), echoService, false, func(c halfCloser) error { return echoAll(c, 1) })
			},
			"handshakes": func() error {
				_, err := f.handshakes(t.Context(), nil, 4, 2)
				return err
			},
			"resumptions": func() error { _, err := f.resumptions(t.Context(), 1); return err },
			"hold":        func() error { _, err := f.hold(t.Context(), 2); return err },
			"control":     func() error { _, err := f.control(t.Context()); return err },
		} {
			if do() == nil {
				t.Errorf("%s: %s succeeded", name, what)
			}
		}
	}
}

func ExampleCompare() {
	before := &Result{Metrics: []Metric{{ID: "count.handshake", Title: "full handshake", Value: 14_000_000, Unit: unitInstructions}}}
	now := &Result{Metrics: []Metric{{ID: "count.handshake", Title: "full handshake", Value: 15_400_000, Unit: unitInstructions}}}
	fmt.Println(Compare(now, before))
	// Output:
	// instruction counts changed by more than 2 %:
	// 	full handshake: 15,400,000, baseline 14,000,000 (+10.0 %)
}

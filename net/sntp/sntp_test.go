package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"
)

var epoch = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// answers is a connection to a time server in the same goroutine: what is
// written is answered by f.
type answers struct {
	net.Conn
	f     func(request []byte) []byte
	reply []byte
}

func (a *answers) Write(b []byte) (int, error) {
	a.reply = a.f(b)
	return len(b), nil
}

func (a *answers) Read(b []byte) (int, error) {
	if a.reply == nil {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(b, a.reply), nil
}

func (a *answers) Close() error                     { return nil }
func (a *answers) SetDeadline(time.Time) error      { return nil }
func (a *answers) SetReadDeadline(time.Time) error  { return nil }
func (a *answers) SetWriteDeadline(time.Time) error { return nil }

// tell answers with a time, as RFC 5905 §7.3 has it; mod spoils the answer.
func tell(now func() time.Time, mod func([]byte)) func([]byte) []byte {
	stamp := func(b []byte, t time.Time) {
		binary.BigEndian.PutUint32(b, uint32(t.Unix()-epoch.Unix()))
		binary.BigEndian.PutUint32(b[4:], uint32(uint64(t.Nanosecond())<<32/1e9))
	}
	return func(q []byte) []byte {
		r := make([]byte, 48)
		r[0], r[1], r[3] = 0x24, 1, 0xec
		stamp(r[16:], now().Add(-time.Minute))
		copy(r[24:32], q[40:48])
		stamp(r[32:], now())
		stamp(r[40:], now())
		if mod != nil {
			mod(r)
		}
		return r
	}
}

func TestSync(t *testing.T) {
	const ahead = 48 * time.Hour
	right := func() time.Time { return time.Now().Add(ahead) }
	floor := time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		name string
		f    func([]byte) []byte
		ok   bool
		set  bool
		is   error
	}{
		{"right", tell(right, nil), true, true, nil},
		{"right enough", tell(time.Now, nil), true, false, nil},
		{"silent", func([]byte) []byte { return nil }, false, false, os.ErrDeadlineExceeded},
		{"short", func([]byte) []byte { return make([]byte, 20) }, false, false, nil},
		{"before the build", tell(func() time.Time { return floor.Add(-time.Minute) }, nil), false, false, ErrBelowFloor},
		{"someone else's answer", tell(right, func(b []byte) { b[31]++ }), false, false, nil},
		{"kiss of death", tell(right, func(b []byte) { b[1] = 0; copy(b[12:], "RATE") }), false, false, nil},
		{"not synchronised", tell(right, func(b []byte) { b[0] |= 0xc0 }), false, false, nil},
		{"stratum 16", tell(right, func(b []byte) { b[1] = 16 }), false, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var set []time.Time
			var told []Status
			s, err := Sync(context.Background(), Config{
				Servers: func() []string { return []string{"time.example"} },
				Dial: func(_ context.Context, network, address string) (net.Conn, error) {
					if network != "udp" || address != "time.example:123" {
						t.Errorf("dialed %s %s", network, address)
					}
					return &answers{f: tt.f}, nil
				},
				Set:    func(now time.Time) error { set = append(set, now); return nil },
				Floor:  floor,
				Synced: func(s Status) { told = append(told, s) },
				Log:    slog.New(slog.DiscardHandler),
			})
			if (err == nil) != tt.ok || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("%v", err)
			}
			if (len(set) == 1) != tt.set || (len(told) == 1) != tt.ok {
				t.Errorf("set to %v, told %v", set, told)
			}
			if tt.set && (time.Until(set[0])-ahead).Abs() > time.Minute {
				t.Errorf("set to %v", set[0])
			}
			if tt.ok && (s.Server != "time.example" || s.Stratum != 1 || s.Stepped != tt.set) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// The next server is asked when one fails, and the clock's own failure counts.
func TestSyncNext(t *testing.T) {
	asked := ""
	c := Config{
		Servers: func() []string { return []string{"a", "b", "c"} },
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			asked += address[:1]
			if asked == "a" {
				return nil, errors.New("unreachable")
			}
			return &answers{f: tell(func() time.Time { return time.Now().Add(time.Hour) }, nil)}, nil
		},
		Set: func(time.Time) error { return nil },
		Log: slog.New(slog.DiscardHandler),
	}
	if s, err := Sync(context.Background(), c); err != nil || s.Server != "b" || asked != "ab" {
		t.Errorf("%+v, %v, asked %q", s, err, asked)
	}
	broken := errors.New("no clock")
	c.Set = func(time.Time) error { return broken }
	if _, err := Sync(context.Background(), c); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	c.Servers = func() []string { return nil }
	if _, err := Sync(context.Background(), c); !errors.Is(err, ErrNoServer) {
		t.Errorf("%v", err)
	}
}

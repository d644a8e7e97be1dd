package inet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/net/inet"
)

// recorder notes the options that are set on it.
type recorder struct {
	net.Conn
	set  []string
	fail string
}

func (r *recorder) note(name string, v any) error {
	r.set = append(r.set, fmt.Sprint(name, " ", v))
	if name == r.fail {
		return errors.New(name)
	}
	return nil
}

func (r *recorder) SetNoDelay(v bool) error   { return r.note("nodelay", v) }
func (r *recorder) SetKeepAlive(v bool) error { return r.note("keepalive", v) }
func (r *recorder) SetKeepAliveConfig(v net.KeepAliveConfig) error {
	return r.note("keepalive", fmt.Sprint(v.Enable, v.Idle, v.Interval))
}
func (r *recorder) SetLinger(v int) error      { return r.note("linger", v) }
func (r *recorder) SetReadBuffer(v int) error  { return r.note("read", v) }
func (r *recorder) SetWriteBuffer(v int) error { return r.note("write", v) }

func TestApply(t *testing.T) {
	for _, tt := range []struct {
		o    inet.Options
		want []string
	}{
		{inet.Options{}, []string{"nodelay true", "keepalive true 15s 15s"}},
		{inet.Options{Delay: true, KeepAlive: -1}, []string{"nodelay false", "keepalive false"}},
		{inet.Options{KeepAlive: time.Minute, Linger: -1}, []string{"nodelay true", "keepalive true 1m0s 1m0s", "linger 0"}},
		{inet.Options{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 1}, Linger: 3, ReadBuffer: 1, WriteBuffer: 2},
			[]string{"nodelay true", "keepalive true 1ns 0s", "linger 3", "read 1", "write 2"}},
	} {
		r := new(recorder)
		if err := tt.o.Apply(r); err != nil || !reflect.DeepEqual(r.set, tt.want) {
			t.Errorf("%+v: %q, %v", tt.o, r.set, err)
		}
	}
	for _, fail := range []string{"nodelay", "keepalive", "linger", "read", "write"} {
		o := inet.Options{Linger: 1, ReadBuffer: 1, WriteBuffer: 1}
		if err := o.Apply(&recorder{fail: fail}); err == nil {
			t.Errorf("%s failed unnoticed", fail)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := new(inet.Options).Apply(a); err != nil {
		t.Errorf("a pipe: %v", err)
	}
}

func TestHost(t *testing.T) {
	testenv.NeedHost(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n := inet.Host().With(inet.Options{Backlog: 4, ReadBuffer: 32 << 10})
	p, err := n.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	u, err := n.DialContext(ctx, "udp", p.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	u.Write([]byte("datagram"))
	b := make([]byte, 20)
	if n, _, err := p.ReadFrom(b); err != nil || string(b[:n]) != "datagram" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if got, err := n.LookupHost(ctx, "127.0.0.1"); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := n.Listen(ctx, "tcp", "192.0.2.1:0"); err == nil {
		t.Error("listens at a foreign address")
	}
	if _, err := n.DialContext(ctx, "nothing", "127.0.0.1:1"); err == nil {
		t.Error("dialed")
	}
}

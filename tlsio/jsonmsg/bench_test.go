package jsonmsg

import (
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkClassify(b *testing.B) {
	for name, line := range map[string]string{
		"message":     `{"sensor":"greenhouse 3","temperature":21.5,"humidity":[40,41,43],"ok":true}`,
		"request":     `{"sensor":"greenhouse 3","temperature":21.5,"humidity":[40,41,43],"ok":true,"requestId":12345}`,
		"message64KB": `{"text":"` + strings.Repeat("x", 65000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(line)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				classify(text, serverOpen)
			}
		})
	}
}

// BenchmarkRequest is a request and its answer over TLS.
func BenchmarkRequest(b *testing.B) {
	s := newTestServer(b, func(o *ServerOptions) {
		o.OnRequest = func(_ *Server, _ uint64, m json.RawMessage, r *Responder) { r.Send(m) }
	})
	c := newTestClient(b, s.port, nil)
	if err := c.Ready(timeout(b)); err != nil {
		b.Fatal(err)
	}
	v := map[string]any{"sensor": "greenhouse 3", "temperature": 21.5}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Request(ctx, v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend is messages of 100 bytes and of 16 KB in one direction.
func BenchmarkSend(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "16KB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			var received atomic.Int64
			s := newTestServer(b, func(o *ServerOptions) {
				o.OnMessage = func(*Server, uint64, json.RawMessage) { received.Add(1) }
			})
			c := newTestClient(b, s.port, nil)
			if err := c.Ready(timeout(b)); err != nil {
				b.Fatal(err)
			}
			v := strings.Repeat("x", size-2)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				for c.Send(v) != nil {
					c.Flush(b.Context())
				}
				n++
			}
			wait(b, "all messages", func() bool { return received.Load() == n })
		})
	}
}

// BenchmarkIdle reports what an idle client holds of its server's heap, beyond what
// the same connections hold before authentication.
func BenchmarkIdle(b *testing.B) {
	const clients = 200
	s := newTestServer(b, func(o *ServerOptions) { o.MaxUnauthenticated = clients })
	heap := func() (bytes float64) {
		time.Sleep(100 * time.Millisecond) // goroutines end
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc + m.StackInuse)
	}
	for b.Loop() {
		before := heap()
		var peers []*peer
		for range clients {
			peers = append(peers, dialPeer(b, s.port))
		}
		wait(b, "clients", func() bool { return s.Stats().Clients == clients })
		between := heap()
		for _, p := range peers {
			p.write(`{"password":"` + kitty + `"}` + "\n")
			p.want(`{"authenticated":true}`)
		}
		after := heap()
		b.ReportMetric((between-before)/clients, "bytes/connection-and-peer")
		b.ReportMetric((after-between)/clients, "bytes/authenticated")
		for _, p := range peers {
			p.conn.Close()
		}
		wait(b, "end", func() bool { return s.Stats().Clients == 0 })
		for len(s.ch) > 0 {
			<-s.ch
		}
	}
}

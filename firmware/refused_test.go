package firmware

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusals: whoever is refused often can't fill the console, and is counted.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRefusals(slog.New(slog.NewTextHandler(&out, nil)), "echo")
		remote, cause := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}, errors.New("nonsense")
		lines := func() string {
			s := out.String()
			out.Reset()
			return s
		}
		flood := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() { r.refused(remote, cause) })
			}
			wg.Wait()
		}
		flood(1000)
		s := lines()
		if got := strings.Count(s, "\n"); got != refusedBurst {
			t.Errorf("1000 refusals at once gave %d lines", got)
		}
		if !strings.Contains(s, "msg=refused service=echo remote=192.0.2.1:7 err=nonsense\n") {
			t.Errorf("said:\n%s", s)
		}
		time.Sleep(refusedInterval)
		flood(5)
		if s := lines(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "others=990\n") {
			t.Errorf("an interval later it said:\n%s", s)
		}
		time.Sleep(1000 * time.Hour)
		flood(100)
		if s := lines(); strings.Count(s, "\n") != refusedBurst || strings.Count(s, "others=4\n") != 1 {
			t.Errorf("after a long rest it said:\n%s", s)
		}
	})
}

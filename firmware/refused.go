package firmware

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// A line on a console of 115,200 baud takes the processor for 18 ms. Peers that
// are refused cause one each, so without a limit fifty of them in a second, who
// need send nothing but nonsense, would leave no time for anybody else.
const (
	refusedBurst    = 10          // lines in a row
	refusedInterval = time.Second // and one more for each of these
)

// refusals tells of connections that a service did not take. Those that are too
// many are counted, and the next line says how many they were.
type refusals struct {
	log     *slog.Logger
	service string

	mu     sync.Mutex
	room   int       // lines that may be said
	since  time.Time // when room was last added to
	unsaid int
}

func newRefusals(log *slog.Logger, service string) *refusals {
	return &refusals{log: log, service: service, room: refusedBurst, since: time.Now()}
}

// refused is a tlsio.TLSOptions.OnRefused.
func (r *refusals) refused(remote net.Addr, err error) {
	say, unsaid := r.count()
	if !say {
		return
	}
	args := []any{"service", r.service, "remote", remote, "err", err}
	if unsaid > 0 {
		args = append(args, "others", unsaid)
	}
	r.log.Info("refused", args...)
}

// count counts a refusal, and tells whether to speak of it and how many there were
// since the last that was spoken of.
func (r *refusals) count() (say bool, unsaid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := time.Since(r.since) / refusedInterval; n > 0 {
		r.since = r.since.Add(n * refusedInterval)
		r.room = int(min(time.Duration(r.room)+n, refusedBurst))
	}
	if r.room == 0 {
		r.unsaid++
		return false, 0
	}
	r.room--
	unsaid, r.unsaid = r.unsaid, 0
	return true, unsaid
}

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu/peer"
)

// The firmware's own share of latencies, from a frame that arrives to the one that
// answers it, by the machine's clock with instructions counted. What else the host does has
// no part in it. (How the frames of others fall in between has: it lies with them
// when they send.)

// virtual measures echoes beside a stream, and handshakes of several clients at a time.
func (r *run) virtual(ctx context.Context) error {
	dump := filepath.Join(r.dir, "wire.pcap")
	defer os.Remove(dump)
	var streams []stream
	var echoPorts [][]uint16
	var shakePorts [crowdRounds][]uint16
	if err := r.onWire(ctx, wiring{icount: countMode, extra: peer.DumpArgs(dump)}, func(ctx context.Context, t *target, _ *control) error {
		for _, s := range streamsBeside {
			r.say("echoes %s, by the firmware's clock", s.title)
			var ports []uint16
			noted := t.noting(&ports)
			if err := t.beside(ctx, s, func() error {
				_, _, err := noted.echoesUnderLoad(ctx, r.amounts.loadEchoes)
				return err
			}); err != nil {
				return err
			}
			streams, echoPorts = append(streams, s), append(echoPorts, ports)
		}
		r.say("handshakes of %d clients at a time, by the firmware's clock", crowdSize)
		for round := range crowdRounds {
			if _, err := t.noting(&shakePorts[round]).crowd(ctx, crowdSize, r.amounts.loadShakes); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	file, err := os.Open(dump)
	if err != nil {
		return err
	}
	defer file.Close()
	answers, err := readAnswers(file)
	if err != nil {
		return err
	}
	r.result.section("The firmware's share of it, in its own time (a nanosecond is an instruction)")
	for i, s := range streams {
		took := answers.echoes(echoPorts[i])
		if want := loadRounds * r.amounts.loadEchoes; len(took) < want*9/10 || len(took) > want {
			return fmt.Errorf("of %d echoes %s the wire saw %d", want, s.title, len(took))
		}
		note := fmt.Sprintf("the longest of %d: %s ms", len(took), number(milliseconds(slices.Max(took))))
		r.result.add("load.own.echo."+s.id+".p50", "an echo "+s.title+", p50", milliseconds(percentile(took, 50)), "ms", "")
		r.result.add("load.own.echo."+s.id+".p99", "p99", milliseconds(percentile(took, 99)), "ms", note)
	}
	var even evenness
	for _, ports := range shakePorts {
		took := answers.handshakes(ports)
		if want := crowdSize * r.amounts.loadShakes; len(took) != want {
			return fmt.Errorf("of %d handshakes the wire saw %d", want, len(took))
		}
		even.add(took)
	}
	r.result.add("load.own.handshake.p50", fmt.Sprintf("from SYN to a server's Finished, of %d at a time, p50", crowdSize), milliseconds(median(even.halves)), "ms", "")
	r.result.add("load.own.handshake.spread", "p99 ÷ p50", even.ratio(), "", even.note())
	return nil
}

// noting returns a target whose connections' ports are noted.
func (t *target) noting(ports *[]uint16) *target {
	noted := *t
	var mu sync.Mutex
	noted.dial = func(ctx context.Context, port int) (net.Conn, error) {
		c, err := t.dial(ctx, port)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			*ports = append(*ports, uint16(c.LocalAddr().(*net.TCPAddr).Port))
		}
		return c, err
	}
	return &noted
}

// answers are what a wire's dump tells of each client of the echo service, by his port.
type answers map[uint16]*answered

type answered struct {
	syn, hello, flight time.Duration // requested; first data of the client's, of the server's
	asked              time.Duration // an echo under way; -1 for none
	echoes             []time.Duration
}

// echoRecord is the size of a TLS 1.3 record with an echo of 64 bytes.
const echoRecord = 5 + 64 + 1 + 16

// readAnswers looks at the TCP segments of the echo service's connections.
func readAnswers(dump io.Reader) (answers, error) {
	all := make(answers)
	err := peer.ReadDump(dump, func(at time.Duration, f []byte, _ int) {
		const ip, tcp = 14, 34
		if len(f) < tcp+20 || binary.BigEndian.Uint16(f[12:]) != 0x0800 || f[ip] != 0x45 || f[ip+9] != 6 {
			return
		}
		data := int(binary.BigEndian.Uint16(f[ip+2:])) - 20 - int(f[tcp+12]>>4)*4
		from, to := binary.BigEndian.Uint16(f[tcp:]), binary.BigEndian.Uint16(f[tcp+2:])
		const syn, ack = 2, 16
		switch {
		case to == bench.PortEcho && f[tcp+13]&(syn|ack) == syn:
			all[from] = &answered{syn: at, asked: -1}
		case to == bench.PortEcho && data > 0 && all[from] != nil:
			a := all[from]
			if a.hello == 0 {
				a.hello = at
			}
			if data == echoRecord && a.asked < 0 {
				a.asked = at
			}
		case from == bench.PortEcho && data > 0 && all[to] != nil:
			a := all[to]
			if a.hello > 0 && a.flight == 0 {
				a.flight = at
			}
			if data == echoRecord && a.asked >= 0 {
				a.echoes = append(a.echoes, at-a.asked)
				a.asked = -1
			}
		}
	})
	return all, err
}

func (a answers) echoes(ports []uint16) (took []time.Duration) {
	for _, p := range ports {
		if c := a[p]; c != nil {
			took = append(took, c.echoes...)
		}
	}
	return took
}

// handshakes returns how long they took that were answered.
func (a answers) handshakes(ports []uint16) (took []time.Duration) {
	for _, p := range ports {
		if c := a[p]; c != nil && c.flight > 0 {
			took = append(took, c.flight-c.syn)
		}
	}
	return took
}

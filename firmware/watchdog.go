package firmware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"ingot.dev/board/devices"
	"ingot.dev/board/driver/wdog"
)

// watchdogTime is how long a firmware that does not work is left running.
const watchdogTime = 60 * time.Second

// firstCheck is how long its first check leaves the processor to services that start.
const firstCheck = time.Second

// startWatchdog starts a watchdog and services it while datagrams come
// through the network stack: that takes the scheduler, timers, memory and the
// stack's own locks and goroutines.
func (s *System) startWatchdog(w devices.Watchdog) error {
	echo, err := s.newLoopback()
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	if err := w.Start(watchdogTime); err != nil {
		return errors.Join(err, echo.Close())
	}
	s.Log.Info("watchdog started", "timeout", watchdogTime, "last reset", w.ResetCause().String())
	ctx, cancel := context.WithCancel(context.Background())
	s.guard = cancel
	go func() {
		defer echo.Close()
		select {
		case <-ctx.Done():
			return
		case <-time.After(firstCheck):
		}
		err := w.Guard(ctx, wdog.GuardOptions{Check: echo.check, Log: s.Log})
		if ctx.Err() == nil {
			s.Log.Error("watchdog is not serviced any more", "err", err)
		}
	}()
	return nil
}

// A loopback is a UDP socket that talks to itself.
type loopback struct {
	net.PacketConn
	count uint64
}

func (s *System) newLoopback() (*loopback, error) {
	conn, err := s.Net.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &loopback{PacketConn: conn}, nil
}

// check sends a datagram and waits for it.
func (l *loopback) check(ctx context.Context) error {
	l.count++
	sent := fmt.Appendf(nil, "ingot health %d", l.count)
	if deadline, ok := ctx.Deadline(); ok {
		if err := l.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := l.WriteTo(sent, l.LocalAddr()); err != nil {
		return err
	}
	var buf [64]byte
	for {
		n, _, err := l.ReadFrom(buf[:])
		if err != nil {
			return err
		}
		if bytes.Equal(buf[:n], sent) {
			return nil
		}
	}
}

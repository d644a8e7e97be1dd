package tlsio

import (
	"net"
	"time"
)

// Pause stops reading from the connection: OnReadable and what the peer's end
// leads to are held back until Resume. Once the buffers are full the peer can't
// send any more, because the TCP window closes; nothing is lost. Up to a record
// (TLS) or 512 bytes (TCP) may still be taken from the connection; what has
// arrived can be read.
func (i *instance) Pause() error { return i.pause("Pause", true) }

// Resume undoes Pause.
func (i *instance) Resume() error { return i.pause("Resume", false) }

func (i *instance) pause(op string, on bool) error {
	l, err := i.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.paused = on
	l.changed.Broadcast()
	l.post(0) // what was held back
	return nil
}

// Flush begins to send what writes with More have left behind.
func (i *instance) Flush() error {
	l, err := i.enter("Flush")
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if l.writeErr != nil {
		return l.writeErr
	}
	if l.up {
		l.kick()
	}
	return nil
}

// SetNoDelay switches Nagle's algorithm off (true) or on, on connections that are
// set up.
func (i *instance) SetNoDelay(on bool) error {
	return i.setOption("SetNoDelay", func(l *link) error {
		c, ok := find[noDelayer](l.conn)
		if !ok {
			return ErrNotSupported
		}
		l.set.noDelay = on
		return c.SetNoDelay(on)
	})
}

// SetKeepAlive switches keep-alive probes on or off, on connections that are set
// up: after initialDelay without data, 10 of them in 1 s each, as Bun has it. An
// initialDelay of 0 leaves it at the network's default.
func (i *instance) SetKeepAlive(enable bool, initialDelay time.Duration) error {
	const op = "SetKeepAlive"
	if initialDelay < 0 {
		return &Error{Op: op, Stage: StageOptions, Err: &OptionError{"initialDelay", initialDelay, "use a positive duration, or 0 for the default"}}
	}
	return i.setKeepAlive(op, net.KeepAliveConfig{Enable: enable, Idle: initialDelay, Interval: time.Second, Count: 10})
}

// SetKeepAliveConfig sets all of keep-alive, on connections that are set up.
func (i *instance) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return i.setKeepAlive("SetKeepAliveConfig", k)
}

func (i *instance) setKeepAlive(op string, k net.KeepAliveConfig) error {
	return i.setOption(op, func(l *link) error {
		c, ok := find[keepAliver](l.conn)
		if !ok {
			return ErrNotSupported
		}
		return c.SetKeepAliveConfig(k)
	})
}

func (i *instance) setOption(op string, set func(l *link) error) error {
	l, err := i.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if !l.up {
		return &Error{Op: op, Stage: StageConnect, Err: ErrNotConnected}
	}
	return newError(op, l.conn.RemoteAddr(), StageConnect, nil, false, set(l))
}

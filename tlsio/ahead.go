package tlsio

// ReadReady reads from c what can be had without waiting for more than its first byte,
// of several records if they are there. ready says whether c's transport can be read
// without waiting, as netstack.Conn's Readable does; it is called while no other read is
// under way. more reports that p was too small for what there is: then another call
// won't wait. An error beside bytes counts after them.
//
// It is for relays, which pass on 64 KB in one segment at a fraction of what four times 16
// KB cost. It is a function, so that programs that don't call it don't carry it.
func ReadReady(c *Conn, p []byte, ready func() bool) (n int, more bool, err error) {
	if n, err = c.Read(p); err != nil {
		return n, false, err
	}
	return c.readAhead(p, n, ready)
}

// ReadHeld is ReadReady that doesn't wait for the first byte either: without any, n is 0.
// A relay begins with it. Who speaks first may be heard together with the end of the
// handshake: then c has it, and the transport, which waits for more, doesn't tell.
func ReadHeld(c *Conn, p []byte, ready func() bool) (n int, more bool, err error) {
	return c.readAhead(p, 0, ready)
}

// readAhead reads behind the n bytes of p what can be had without waiting.
func (c *Conn) readAhead(p []byte, n int, ready func() bool) (_ int, more bool, err error) {
	c.wire.noWait, c.wire.ready = true, ready
	defer func() { c.wire.noWait, c.wire.ready = false, nil }()
	for n < len(p) {
		m := c.readLeft(p[n:])
		if m == 0 {
			m, err = c.tls.Read(p[n:])
		}
		n += m
		switch {
		case err == errWouldBlock:
			return n, false, nil
		case err != nil:
			return n, false, c.readError(err)
		}
	}
	return n, true, nil
}

package tlsio

import (
	"context"
	"net"
)

// gatedListener is the transport of a Listener with limits.
type gatedListener struct {
	net.Listener
	gate gate
}

// listenGated opens the transport of a Listener whose options are valid.
func listenGated(op string, app *App, addr string, o *ListenerOptions) (net.Listener, error) {
	budget := o.Budget
	if budget == nil {
		budget = app.budget
	}
	l := &gatedListener{gate: gate{admit: o.Admit, max: o.MaxConnections, budget: budget, refused: o.OnRefused}}
	fail := func(err error) (net.Listener, error) {
		return nil, &Error{Op: op, Addr: addr, Stage: StageListen, Err: err}
	}
	var err error
	if budget != nil {
		l.gate.cost = cost{connection: costPlain, instance: costInstance}
		if l.gate.leaveAll, err = budgetListen(budget, &l.gate.cost, app.network); err != nil {
			return fail(err)
		}
	}
	guard := l.gate.guard()
	if l.Listener, err = ListenAdmit(context.Background(), app.network, "tcp", addr, guard); err != nil {
		l.gate.close()
		return fail(err)
	}
	if guard == nil {
		return l.Listener, nil
	}
	return l, nil
}

// Accept implements net.Listener.
func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, ok := l.gate.enter(conn)
		if !ok {
			continue
		}
		h, ok := conn.(*heldConn)
		if !ok {
			h = &heldConn{Conn: conn}
		}
		h.leave = l.gate.leave
		return h, nil
	}
}

// Close implements net.Listener.
func (l *gatedListener) Close() error {
	l.gate.close()
	return l.Listener.Close()
}

// hold gives what connect will return an account of the application's budget, if it
// has one: with an instance's cost besides c.
func (a *App) hold(op, addr string, connect connector, c cost) (connector, *Account, error) {
	if a.budget == nil {
		return connect, nil, nil
	}
	c.instance = costInstance
	if m, ok := a.network.(MeasuredNetwork); ok {
		c.transport, _ = m.Memory()
	}
	account, err := a.budget.account(c)
	if err != nil {
		return nil, nil, &Error{Op: op, Addr: addr, Stage: StageConnect, Err: err}
	}
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := connect(ctx)
		if err != nil {
			account.Close()
			return nil, err
		}
		h := &heldConn{Conn: conn, account: account}
		h.handshake.Store(c.handshake > 0)
		return h, nil
	}, account, nil
}

// join makes the link's buffers count on an account. It must come before the link
// has any.
func (l *link) join(a *Account) {
	l.out.dir = output
	if a == nil {
		return
	}
	l.account, l.in.account, l.out.account = a, a, a
	a.b.mu.Lock()
	// Not in the caller's goroutine, which may hold another link's lock.
	a.notify = func() { l.app.Post(l.turn) }
	a.b.mu.Unlock()
}

// turn uses the memory that the link has waited for.
func (l *link) turn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && !l.detached {
		if !l.lent && len(l.in.buf) == bufferSmall && l.in.n == bufferSmall && l.in.enlarge() {
			l.changed.Broadcast()
		}
		if l.out.wants && len(l.out.buf) != bufferSize && l.out.enlarge() {
			l.post(evWritable)
		}
	}
	l.account.pass()
}

// spare gives back what turn has taken for an output that nobody wrote to. l.mu is
// held.
func (l *link) spare() {
	if l.account != nil && !l.draining {
		l.out.release()
	}
}

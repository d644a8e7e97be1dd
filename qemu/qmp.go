package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// A qmp is one end of QEMU's control socket. It serves two ends: to know the
// moment at which everything is set up (ports bound, files read), and to learn
// why a machine ended.
//
// Protocol: QEMU manual, "QEMU Machine Protocol Specification": a greeting
// from QEMU, then commands and answers, one JSON object each, with events in
// between.
type qmp struct {
	conn net.Conn
	dec  *json.Decoder
}

type qmpMessage struct {
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

// newQMP waits for the greeting, which QEMU sends once its main loop runs.
func newQMP(conn net.Conn) (*qmp, error) {
	q := &qmp{conn, json.NewDecoder(conn)}
	var m qmpMessage
	if err := q.dec.Decode(&m); err != nil {
		return nil, err
	}
	if m.Greeting == nil {
		return nil, fmt.Errorf("QEMU's control socket did not greet")
	}
	return q, q.command("qmp_capabilities")
}

// resume lets the processor run. The guest may be done, and QEMU gone, before
// the answer is out: that is no error.
func (q *qmp) resume() error {
	err := q.command("cont")
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

func (q *qmp) command(name string) error {
	if _, err := fmt.Fprintf(q.conn, "{\"execute\":%q}\n", name); err != nil {
		return err
	}
	for {
		var m qmpMessage
		if err := q.dec.Decode(&m); err != nil {
			return err
		}
		switch {
		case m.Error != nil:
			return fmt.Errorf("%s: %s", name, m.Error.Desc)
		case m.Return != nil:
			return nil
		}
	}
}

// shutdownReason reads events until QEMU goes away and returns the reason it
// gave for that: empty when it gave none, which is so when the guest ended it
// through semihosting.
func (q *qmp) shutdownReason() (reason string) {
	for {
		var m qmpMessage
		if q.dec.Decode(&m) != nil {
			return reason
		}
		if m.Event == "SHUTDOWN" {
			reason = m.Data.Reason
		}
	}
}

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

// newQMP waits until QEMU's main loop runs, and with run, until it has let the processor
// run. What it is to be told is written at once, for it to find when it is up: nobody has
// to be waked in between, which on a busy host takes longer than all else.
func newQMP(conn net.Conn, run bool) (*qmp, error) {
	q := &qmp{conn, json.NewDecoder(conn)}
	commands := []string{"qmp_capabilities", "cont"}
	if !run {
		commands = commands[:1]
	}
	var text []byte
	for _, name := range commands {
		text = fmt.Appendf(text, "{\"execute\":%q}\n", name)
	}
	if _, err := conn.Write(text); err != nil {
		return nil, err
	}
	var m qmpMessage
	if err := q.dec.Decode(&m); err != nil {
		return nil, err
	}
	if m.Greeting == nil {
		return nil, fmt.Errorf("QEMU's control socket did not greet")
	}
	for _, name := range commands {
		err := q.answer(name)
		if name == "cont" && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
			err = nil // the guest is done, and QEMU gone, before the answer was out
		}
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// answer waits for that to a command.
func (q *qmp) answer(name string) error {
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

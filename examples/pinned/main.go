// Command pinned is a firmware that is a client: it sends a line to a server and prints the
// answer. Beside chain and name it insists on the server's key: on one of those that are
// pinned in its certificate store. Of another it says what it was given.
//
// The environment variable SERVER, which a board is given with its boot parameters, says
// who to talk to (default localhost:8443).
package main

import (
	"bufio"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"time"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/tlsio"
)

// The certificate store: 'ingot certs init certs' makes one for development, and 'ingot
// certs pin certs/image' the pins in it.
//
//go:embed all:certs/image
var certificates embed.FS

// pinSet is the name of the pins in the store.
const pinSet = "server"

// timeout is for a question and its answer, with all that it takes to connect.
const timeout = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, certificates, cmp.Or(os.Getenv("SERVER"), "localhost:8443"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// run starts the system, asks the server, and writes its answer to out.
func run(ctx context.Context, store fs.FS, server string, out io.Writer) error {
	system, err := firmware.Start(ctx, firmware.Config{Certs: store, Rules: certs.Rules()})
	if err != nil {
		return err
	}
	answer, err := ask(ctx, system, server)
	if refused, ok := errors.AsType[*tlsio.PinError](err); ok {
		err = explain(refused, server, system.Certs)
	}
	if err == nil {
		_, err = fmt.Fprintln(out, "the server says:", answer)
	}
	return errors.Join(err, system.Close())
}

// ask sends a line and returns the one that comes back.
func ask(ctx context.Context, system *firmware.System, server string) (string, error) {
	pins := system.Certs.Pins(pinSet)
	if len(pins) == 0 {
		return "", fmt.Errorf("nothing is pinned: make pins with 'ingot certs pin certs/image SOURCE --as %s --backup SOURCE'", pinSet)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := tlsio.Dial(ctx, system.Net, server, tlsio.TLSOptions{
		Roots:            system.Certs.Roots(""),
		HandshakeTimeout: timeout,
		With:             []tlsio.Feature{tlsio.Pins(pins)},
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		return "", err
	}
	answer := bufio.NewScanner(io.LimitReader(conn, 1024))
	if !answer.Scan() {
		return "", fmt.Errorf("%s: the answer: %w", server, cmp.Or(answer.Err(), io.ErrUnexpectedEOF))
	}
	return answer.Text(), nil
}

// A RefusedError says which key a server showed, and which would have done.
type RefusedError struct {
	Server string
	Given  string   // its pin
	Pinned []string // a line for each
	Err    *tlsio.PinError
}

func explain(refused *tlsio.PinError, server string, store *certs.Store) error {
	e := &RefusedError{Server: server, Given: "sha256/" + refused.Leaf, Err: refused}
	for _, set := range store.PinSets() {
		if set.Name == pinSet {
			for _, pin := range set.Primary {
				e.Pinned = append(e.Pinned, fmt.Sprint("primary ", pin))
			}
			for _, pin := range set.Backup {
				e.Pinned = append(e.Pinned, fmt.Sprint("backup  ", pin))
			}
		}
	}
	return e
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("%s is refused: %v\n  given   %s", e.Server, e.Err, e.Given)
	for _, pin := range e.Pinned {
		text += "\n  " + pin
	}
	return text
}

func (e *RefusedError) Unwrap() error { return e.Err }

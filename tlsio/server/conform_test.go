package server

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"
)

// TestZeroConnection: a Connection that no server has made is not connected. It has
// the defaults of an unconnected one, and everything that needs a peer fails.
//
//conform:ipworks Connection.new differs tlsio/server.Connection, tlsio/server.ErrInvalidConnection -- servers make connections; an empty one is connected to nobody, and says so
func TestZeroConnection(t *testing.T) {
	c := new(Connection)
	if c.Connected() || c.ID() != "" || c.LocalAddress() != "" || c.RemoteAddr().IsValid() || c.ReadyToSend() || c.BytesSent() != 0 || c.TLS() != nil {
		t.Error("an empty Connection seems to be connected")
	}
	c.SetUserData("mine")
	if c.UserData() != "mine" {
		t.Error("no user data")
	}
	for name, f := range map[string]func() error{
		"RemoteHost":         func() error { _, err := c.RemoteHost(); return err },
		"RemotePort":         func() error { _, err := c.RemotePort(); return err },
		"Send":               func() error { _, err := c.Send([]byte("x")); return err },
		"SendText":           func() error { _, err := c.SendText("x"); return err },
		"SendLine":           func() error { _, err := c.SendLine("x"); return err },
		"SendFile":           func() error { _, err := c.SendFile(fstest.MapFS{"f": {Data: []byte("x")}}, "f"); return err },
		"StartTLS":           c.StartTLS,
		"Disconnect":         c.Disconnect,
		"Interrupt":          c.Interrupt,
		"PauseData":          c.PauseData,
		"ProcessData":        c.ProcessData,
		"SetEOL":             func() error { return c.SetEOL([]byte("\n")) },
		"SetSingleLineMode":  func() error { return c.SetSingleLineMode(true) },
		"SetMaxLineLength":   func() error { return c.SetMaxLineLength(300) },
		"ChangeRecordLength": func() error { return c.ChangeRecordLength(3) },
		"SetTimeout":         func() error { return c.SetTimeout(time.Second) },
		"SetIdleTimeout":     func() error { return c.SetIdleTimeout(time.Second) },
	} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s panics: %v", name, p)
				}
			}()
			if err := f(); !errors.Is(err, ErrInvalidConnection) {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
}

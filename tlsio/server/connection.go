package server

import "sync"

// Connection is one client's connection. Its methods may be called from any
// goroutine, in events too; after its end they return errors with number 126.
type Connection struct {
	id     string
	server *Server

	mu sync.Mutex
}

// ID returns the number by which Server's methods know the connection. Ids count
// up from 1 and are never used twice.
func (c *Connection) ID() string { return c.id }

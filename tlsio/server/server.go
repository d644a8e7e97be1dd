package server

import (
	"sync"

	"ingot.dev/tlsio"
)

// Server listens and keeps the connections. Its methods may be called from any
// goroutine, in events too.
type Server struct {
	network tlsio.Network
	handler Handler

	mu     sync.Mutex
	config Config
}

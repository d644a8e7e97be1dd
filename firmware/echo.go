package firmware

import (
	"context"
	"io"
	"net"
)

// Echo returns what it receives until the peer has sent everything, and then says
// that it has too.
func Echo(_ context.Context, conn net.Conn) {
	if _, err := io.Copy(conn, conn); err != nil {
		return // the peer is gone, and knows why
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

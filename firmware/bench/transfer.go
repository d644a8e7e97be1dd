package bench

import (
	"context"
	"encoding/binary"
	"io"
	"net"
)

// chunk is how much a transfer reads or writes at once: four TLS records.
const chunk = 64 << 10

// Sink reads and drops everything, then answers with how much it was.
func Sink(_ context.Context, conn net.Conn) {
	buf := make([]byte, chunk)
	var n uint64
	for {
		m, err := conn.Read(buf)
		n += uint64(m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	conn.Write(binary.BigEndian.AppendUint64(nil, n))
}

// Source sends as many bytes as it is told to.
func Source(_ context.Context, conn net.Conn) {
	var ask [8]byte
	if _, err := io.ReadFull(conn, ask[:]); err != nil {
		return
	}
	buf := make([]byte, chunk)
	for i := range buf {
		buf[i] = byte(i)
	}
	for left := binary.BigEndian.Uint64(ask[:]); left > 0; {
		n, err := conn.Write(buf[:min(left, chunk)])
		if err != nil {
			return
		}
		left -= uint64(n)
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	io.Copy(io.Discard, conn) // the peer closes first: nothing it still reads is cut off
}

// Echo returns what it receives. Unlike the firmware's it reads into a buffer of
// its own, so that it works the same on every kind of connection.
func Echo(_ context.Context, conn net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

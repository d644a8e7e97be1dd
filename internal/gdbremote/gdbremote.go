package gdbremote

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Client is a connection to a stub. It is for one goroutine.
type Client struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects to the stub at addr. Everything that is done with the client has to be
// done within limit.
func Dial(addr string, limit time.Duration) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(limit))
	return &Client{conn, bufio.NewReader(conn)}, nil
}

// Close leaves the machine as it is.
func (c *Client) Close() error { return c.conn.Close() }

// Command sends a command, such as "?" for why the machine stands still, and returns
// the answer. An answer that says that something went wrong ("E01") is an error.
func (c *Client) Command(text string) (string, error) {
	if _, err := fmt.Fprintf(c.conn, "$%s#%02x", text, checksum(text)); err != nil {
		return "", err
	}
	answer, err := c.answer()
	if err == nil && len(answer) == 3 && answer[0] == 'E' {
		err = fmt.Errorf("the stub refuses with %s", answer)
	}
	if err != nil {
		return "", fmt.Errorf("gdb remote command %q: %w", text, err)
	}
	return answer, nil
}

// Monitor has QEMU's monitor answer a command, and returns what that prints.
func (c *Client) Monitor(command string) (string, error) {
	answer, err := c.Command("qRcmd," + hex.EncodeToString([]byte(command)))
	var text []byte
	for err == nil && strings.HasPrefix(answer, "O") && answer != "OK" {
		var b []byte
		if b, err = hex.DecodeString(answer[1:]); err == nil {
			text = append(text, b...)
			answer, err = c.answer()
		}
	}
	if err == nil && answer != "OK" {
		err = fmt.Errorf("answer %q", answer)
	}
	if err != nil {
		return "", fmt.Errorf("monitor command %q: %w", command, err)
	}
	return string(text), nil
}

func (c *Client) answer() (string, error) {
	if _, err := c.in.ReadString('$'); err != nil { // behind the "+"
		return "", err
	}
	text, err := c.in.ReadString('#')
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(text, "#")
	var sum [2]byte
	if _, err := io.ReadFull(c.in, sum[:]); err != nil {
		return "", err
	}
	if want := fmt.Sprintf("%02x", checksum(text)); string(sum[:]) != want {
		return "", fmt.Errorf("answer %q has checksum %s, want %s", text, sum, want)
	}
	_, err = io.WriteString(c.conn, "+")
	return text, err
}

func checksum(s string) (sum byte) {
	for i := range len(s) {
		sum += s[i]
	}
	return sum
}

// Register returns one of the first registers, of 32 bits each. Of Arm, 15 is the program
// counter.
func (c *Client) Register(n int) (uint32, error) {
	answer, err := c.Command("g") // all of them
	if err != nil {
		return 0, err
	}
	b, err := hex.DecodeString(answer[:min(8*(n+1), len(answer))])
	if err != nil || len(b) != 4*(n+1) {
		return 0, fmt.Errorf("there is no register %d in %q", n, answer)
	}
	return binary.LittleEndian.Uint32(b[4*n:]), nil
}

package tlsio

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
)

// Format says what Read and Write deal in (ECMA-419 section 9.6).
type Format string

const (
	// FormatBuffer is for byte slices, the default.
	FormatBuffer Format = "buffer"
	// FormatNumber is for single bytes: ReadNumber and WriteNumber.
	FormatNumber Format = "number"
)

func (f Format) check(errs *optionErrors, option string) Format {
	switch f {
	case "":
		return FormatBuffer
	case FormatBuffer, FormatNumber:
	default:
		errs.add(option, fmt.Sprintf("%q", string(f)), `use "buffer" or "number"`)
	}
	return f
}

// instance is what TCP and TLS have in common: all members of ECMA-419's IO class
// pattern (section 9). Its methods never wait and never call callbacks.
type instance struct {
	link atomic.Pointer[link] // set by the constructor, constant afterwards
	targeted

	// Guarded by link.mu.
	calls    callbacks // nil for none
	format   Format
	failed   bool // OnError was called
	halfOpen bool // the peer's end is not the connection's
	moved    bool // handed over

	sent, received uint64 // as they were when the instance lost its link
}

// leave notes what a link's owner may still be asked when it isn't any more.
// l.mu is held.
func (i *instance) leave(l *link) { i.sent, i.received = l.sent, l.received }

// enter locks the instance's link, or says why the instance can't be used.
func (i *instance) enter(op string) (*link, error) {
	l := i.link.Load()
	if l == nil {
		return nil, &Error{Op: op, Stage: StageClose, Err: ErrClosed}
	}
	l.mu.Lock()
	if l.owner != i {
		l.mu.Unlock()
		return nil, &Error{Op: op, Stage: StageClose, Err: ErrClosed}
	}
	if i.failed {
		l.mu.Unlock()
		return nil, &Error{Op: op, Stage: StageClose, Err: ErrFailed}
	}
	return l, nil
}

// enterFormat is enter for operations of one format.
func (i *instance) enterFormat(op string, stage Stage, f Format) (*link, error) {
	l, err := i.enter(op)
	if err == nil && i.format != f {
		err = &Error{Op: op, Stage: stage, Err: ErrFormat, Hint: fmt.Sprintf("the format is %q", string(i.format))}
		l.mu.Unlock()
	}
	return l, err
}

// ReadAvailable returns all bytes that have arrived, or nil if there are none
// (419's read without an argument). Format buffer only.
func (i *instance) ReadAvailable() ([]byte, error) { return i.readUpTo("ReadAvailable", bufferSize) }

// Read returns up to n bytes, or nil if none have arrived (419's read with a
// number). They are the caller's. n must be positive. Format buffer only.
func (i *instance) Read(n int) ([]byte, error) { return i.readUpTo("Read", n) }

func (i *instance) readUpTo(op string, n int) ([]byte, error) {
	l, err := i.enterFormat(op, StageRead, FormatBuffer)
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if n <= 0 {
		return nil, &Error{Op: op, Stage: StageRead, Err: &OptionError{"n", n, "read at least one byte"}}
	}
	if l.in.n == 0 {
		return nil, nil
	}
	p := make([]byte, min(n, l.in.n))
	l.in.read(p)
	l.took()
	return p, nil
}

// ReadInto fills p as far as bytes have arrived and returns their number (419's
// read with a buffer). Format buffer only.
func (i *instance) ReadInto(p []byte) (int, error) {
	l, err := i.enterFormat("ReadInto", StageRead, FormatBuffer)
	if err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	n := l.in.read(p)
	if n > 0 {
		l.took()
	}
	return n, nil
}

// ReadNumber returns the next byte, 0 to 255, or -1 if none has arrived. Format
// number only.
func (i *instance) ReadNumber() (int, error) {
	l, err := i.enterFormat("ReadNumber", StageRead, FormatNumber)
	if err != nil {
		return -1, err
	}
	defer l.mu.Unlock()
	if l.in.n == 0 {
		return -1, nil
	}
	var p [1]byte
	l.in.read(p[:])
	l.took()
	return int(p[0]), nil
}

// WriteOptions are the options of 419's write (3rd edition).
type WriteOptions struct {
	// More says that another write follows: bytes may wait for it, so that
	// small writes share a record or segment.
	More bool
	// ByteLength, with More, is the number of bytes after which to send all the
	// same; 0 means a full record.
	ByteLength int
}

// fullRecord is the largest payload of a TLS record.
const fullRecord = 16 << 10

// Write takes all of p, or nothing. It returns the writable count that remains:
// the number of bytes that the next Write may have. p may be reused at once.
// Format buffer only.
func (i *instance) Write(p []byte, options ...WriteOptions) (writable int, err error) {
	return i.write("Write", FormatBuffer, p, options)
}

// WriteNumber is Write for one byte. Format number only.
func (i *instance) WriteNumber(b byte, options ...WriteOptions) (writable int, err error) {
	return i.write("WriteNumber", FormatNumber, []byte{b}, options)
}

func (i *instance) write(op string, f Format, p []byte, options []WriteOptions) (int, error) {
	l, err := i.enterFormat(op, StageWrite, f)
	if err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	var o WriteOptions
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		return 0, &Error{Op: op, Stage: StageOptions, Err: &OptionError{"options", len(options), "give one WriteOptions at most"}}
	}
	if o.ByteLength < 0 {
		return 0, &Error{Op: op, Stage: StageOptions, Err: &OptionError{"ByteLength", o.ByteLength, "use a positive number, or 0"}}
	}
	if n, err := l.accept(op, p); err != nil {
		return n, err
	}
	threshold := fullRecord
	if o.ByteLength > 0 {
		threshold = min(threshold, o.ByteLength)
	}
	if !o.More || l.out.n >= threshold {
		l.kick()
	}
	return l.out.free(), nil
}

// accept takes all of p into out, or returns the writable count and why not. l.mu is
// held.
func (l *link) accept(op string, p []byte) (writable int, err error) {
	switch {
	case l.writeErr != nil:
		return 0, l.writeErr
	case l.ending:
		return 0, &Error{Op: op, Stage: StageWrite, Err: ErrWriteClosed}
	case !l.up && l.err != nil:
		return 0, l.err
	case !l.up:
		return 0, &Error{Op: op, Stage: StageWrite, Err: ErrNotConnected}
	case !l.out.fits(len(p)):
		return l.out.free(), &Error{Op: op, Stage: StageWrite, Err: ErrOverflow,
			Hint: fmt.Sprintf("%d bytes given, %d writable; wait for OnWritable", len(p), l.out.free())}
	}
	l.out.write(p)
	l.sent += uint64(len(p))
	return l.out.free(), nil
}

// Close ends the instance: no callback begins after it, and all methods that return
// an error return ErrClosed, but for Close and Terminate. Output that Write has taken is still sent, for a
// few seconds at most. Closing again does nothing.
func (i *instance) Close() error {
	l := i.link.Load()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner == i {
		l.close()
	}
	return nil
}

// Format returns the current format.
func (i *instance) Format() (Format, error) {
	l, err := i.enter("Format")
	if err != nil {
		return "", err
	}
	defer l.mu.Unlock()
	return i.format, nil
}

// SetFormat changes the format, at any time. If f is none, the format stays.
func (i *instance) SetFormat(f Format) error {
	l, err := i.enter("SetFormat")
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if f != FormatBuffer && f != FormatNumber {
		return &Error{Op: "SetFormat", Stage: StageOptions, Err: &OptionError{"Format", fmt.Sprintf("%q", string(f)), `use "buffer" or "number"`}}
	}
	i.format = f
	return nil
}

// NetConn turns the instance into a blocking net.Conn: it waits for the connection
// to be set up and for output to be sent, then moves it, with the bytes not read
// yet; a TLS gives a *Conn. The instance is closed silently, as by a hand-over. If
// ctx ends before, the connection is closed. NetConn waits, so don't call it from a
// callback.
func (i *instance) NetConn(ctx context.Context) (net.Conn, error) {
	l, err := i.enter("NetConn")
	if err != nil {
		return nil, err
	}
	l.detach()
	l.mu.Unlock()
	conn, unread, err := l.take(ctx, 0)
	if err != nil {
		return nil, err
	}
	return withLeftover(conn, unread), nil
}

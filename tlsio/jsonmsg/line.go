package jsonmsg

import "bytes"

// lines cuts a stream into lines, strictly at LF. It holds at most one incomplete
// line, of at most max bytes, and nothing while there is none. It isn't safe for
// concurrent use.
type lines struct {
	max  int    // bytes of a line without its LF; may change between lines
	mem  *purse // what the incomplete line is charged to
	part []byte // the incomplete line
}

// Lines are collected in steps that double, from firstPart on.
const firstPart = 512

// feed takes the next bytes of the stream and calls f with each line that they
// complete, without its LF or CR LF. The line is f's only during the call. feed
// ends with f's error; with ErrTooLong for a line above max, as soon as it is
// known; with ErrMemory when the meter has no room.
func (l *lines) feed(p []byte, f func(line []byte) error) error {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			return l.keep(p)
		}
		line := p[:end]
		p = p[end+1:]
		if l.part != nil {
			if err := l.keep(line); err != nil {
				return err
			}
			line = l.part
		} else if len(line) > l.max+1 {
			return ErrTooLong
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) > l.max {
			return ErrTooLong
		}
		err := f(line)
		l.drop()
		if err != nil {
			return err
		}
	}
	return nil
}

// keep appends p to the incomplete line. A CR that turns out to belong to the
// line's end may stand one byte above max.
func (l *lines) keep(p []byte) error {
	need := len(l.part) + len(p)
	if need > l.max+1 {
		return ErrTooLong
	}
	if need > cap(l.part) {
		size := min(max(2*cap(l.part), need, firstPart), max(l.max+1, need))
		if !l.mem.take(size - cap(l.part)) {
			return ErrMemory
		}
		l.part = append(make([]byte, 0, size), l.part...)
	}
	l.part = append(l.part, p...)
	return nil
}

// drop forgets the incomplete line.
func (l *lines) drop() {
	l.mem.give(cap(l.part))
	l.part = nil
}

package server

import "bytes"

// Framer cuts a stream into the pieces that DataIn gets. Which pieces those are
// depends on the stream alone, not on how it was split on its way, but for the
// mode without framing, which hands on what arrived. In order of precedence:
//
//	RecordLength > 0   pieces of exactly so many bytes; eol is true
//	SingleLine         lines; CR LF, CR and LF end one and are removed; eol is true
//	EOL not empty      lines; EOL ends one and is removed; eol is true
//	otherwise          what arrived; eol is true
//
// A line end that begins within the first MaxLine bytes counts. If there is none,
// these MaxLine bytes are a piece, with eol false, and the line goes on: a line of
// exactly MaxLine bytes is followed by an empty piece with eol true. Empty
// lines are pieces too. What is left when the stream ends (Rest) is no piece.
//
// The settings may be changed between any two pieces; what was not cut yet is cut
// by the new ones. The LF of a CR LF belongs to the line that CR has ended,
// whatever mode follows.
//
// A Framer holds less than MaxLine and one EOL, or than RecordLength, beyond what
// it was fed last. It is not safe for concurrent use.
type Framer struct {
	EOL          []byte
	SingleLine   bool
	MaxLine      int // 0 means DefaultMaxLineLength
	RecordLength int

	in       []byte // not cut yet
	borrowed bool   // in is the caller's memory
	own      []byte // memory for in, once something had to be kept
	scanned  int    // bytes of in known not to begin a line end
	by       mode   // scanned is about this mode
	skipLF   bool   // an LF at the beginning of in ends no line
}

// mode is what scanned depends on.
type mode struct {
	single bool
	eol    string
}

// Feed adds what arrived. p must stay unchanged until Next has returned false or
// Rest was called.
func (f *Framer) Feed(p []byte) {
	if len(p) == 0 {
		return
	}
	if len(f.in) == 0 {
		f.in, f.borrowed, f.scanned = p, true, 0
		return
	}
	f.keep()
	f.in = append(f.in, p...)
	f.own = f.in
}

// keep moves in to the beginning of memory of its own.
func (f *Framer) keep() {
	if f.borrowed || len(f.own) > 0 && len(f.in) > 0 && &f.own[0] != &f.in[0] {
		f.in = append(f.own[:0], f.in...)
		f.own, f.borrowed = f.in, false
	}
}

// Next returns the next piece, valid until the next call of Next or Feed. After
// false there is none before more is fed.
func (f *Framer) Next() (piece []byte, eol, ok bool) {
	if f.skipLF && len(f.in) > 0 {
		f.skipLF = false
		if f.in[0] == '\n' {
			f.drop(1)
		}
	}
	if len(f.in) == 0 {
		// Memory for long lines isn't kept for short ones.
		if f.in, f.borrowed = nil, false; cap(f.own) > 512 {
			f.own = nil
		}
		return nil, false, false
	}
	n, end, eol := f.find()
	if n < 0 {
		f.keep()
		return nil, false, false
	}
	piece = f.in[:n:n]
	f.drop(n + end)
	return piece, eol, true
}

// drop removes what was cut.
func (f *Framer) drop(n int) { f.in, f.scanned = f.in[n:], 0 }

// find returns the length of the next piece and of the line end behind it, or -1.
func (f *Framer) find() (n, end int, eol bool) {
	switch {
	case f.RecordLength > 0:
		if len(f.in) < f.RecordLength {
			return -1, 0, false
		}
		return f.RecordLength, 0, true
	case !f.SingleLine && len(f.EOL) == 0:
		return len(f.in), 0, true
	}
	limit := f.MaxLine
	if limit == 0 {
		limit = DefaultMaxLineLength
	}
	if f.by.single != f.SingleLine || f.by.eol != string(f.EOL) {
		f.by = mode{f.SingleLine, string(f.EOL)}
		f.scanned = 0
	}
	end = 1
	if !f.SingleLine {
		end = len(f.EOL)
	}
	// A line end that counts begins before limit.
	stop := min(len(f.in), limit+end-1)
	f.scanned = min(f.scanned, stop)
	var i int
	if f.SingleLine {
		i = bytes.IndexAny(f.in[f.scanned:stop], "\r\n")
	} else {
		i = bytes.Index(f.in[f.scanned:stop], f.EOL)
	}
	switch {
	case i >= 0:
		i += f.scanned
		f.skipLF = f.SingleLine && f.in[i] == '\r'
		return i, end, true
	case len(f.in) >= limit && !f.begun(limit):
		return limit, 0, false
	}
	f.scanned = max(0, stop-end+1)
	return -1, 0, false
}

// begun reports whether in may have an EOL that begins before limit and needs more
// bytes to be told.
func (f *Framer) begun(limit int) bool {
	if f.SingleLine {
		return false
	}
	for i := max(limit-len(f.EOL)+1, 0); i < limit; i++ {
		if len(f.in)-i < len(f.EOL) && bytes.HasPrefix(f.EOL, f.in[i:]) {
			return true
		}
	}
	return false
}

// exceeds reports whether the line that comes next has more than n bytes already.
func (f *Framer) exceeds(n int) bool {
	if len(f.in) <= n {
		return false
	}
	g := *f
	g.MaxLine, g.scanned = n, 0
	length, _, eol := g.find()
	return length >= 0 && !eol
}

// Rest takes out what was not cut, for whoever reads the stream from here on.
// skipLF tells that an LF, should it come next, belongs to the last line's end.
func (f *Framer) Rest() (rest []byte, skipLF bool) {
	if f.skipLF && len(f.in) > 0 {
		f.skipLF = false
		if f.in[0] == '\n' {
			f.drop(1)
		}
	}
	rest, skipLF = f.in, f.skipLF
	*f = Framer{EOL: f.EOL, SingleLine: f.SingleLine, MaxLine: f.MaxLine, RecordLength: f.RecordLength}
	return rest, skipLF
}

// Buffered returns the number of bytes that were not cut yet.
func (f *Framer) Buffered() int { return len(f.in) }

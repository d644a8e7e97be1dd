package tlsio

// Tap sees one connection as it is on the wire, with the secrets that open it. Its
// methods are called in the order of what they tell; Sent and Received may run at
// the same time. They must not keep the slices, nor wait.
type Tap interface {
	// Sent and Received are given bytes of TLS records, not aligned to them.
	Sent(p []byte)
	Received(p []byte)
	// Secret is given one line of NSS's key log format, with its newline.
	Secret(line []byte)
	// Closed ends the sequence, once; err is why, nil if this side closed.
	Closed(err error)
}

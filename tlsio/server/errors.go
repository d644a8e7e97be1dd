package server

// Error is the error of every method and event of this package. errors.Is finds
// another Error with the same Code (so that the Err variables can be compared
// with), and what stands in Err.
type Error struct {
	Op   string // what was called, or the event: "Send", "StartListening" ...
	ID   string // connection; "" if it is about none
	Code Code   // the reference's number
	Err  error  // the cause, if there is more to say than Code does
}

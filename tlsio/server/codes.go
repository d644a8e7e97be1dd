package server

// Code is an error number of the reference.
type Code int

//go:build !unix

package server

import "net"

// setSocketBacklog has no means here.
func setSocketBacklog(net.Listener, int) (ok bool, err error) { return false, nil }

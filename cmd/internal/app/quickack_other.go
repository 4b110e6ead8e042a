//go:build !linux

package app

import "net"

// quick leaves the connection as it is where the system has no such option.
func quick(conn net.Conn) net.Conn { return conn }
